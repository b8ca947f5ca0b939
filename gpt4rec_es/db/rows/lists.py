"""Reads and writes of the merge stage: a shard's frozen inputs, and users' lists."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.db.rows.filters import load_removed
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.records import GeneratedQuery, Outcome


@dataclass(frozen=True, slots=True)
class UserInput:
    """One cohort user's frozen input.

    query_nos: queries of the generation, by rank; None: no generation is stored. removed: those
    queries that the run's filters remove; their ranks are not used. likelihoods: of the queries, by
    rank, see ``GeneratedQuery``; empty: unknown. arm: group of the run's holdback; None: not held
    back.
    """

    user_no: int
    prompt_no: int | None
    n_bought: int
    last_query_no: int | None
    query_nos: tuple[int, ...] | None
    removed: frozenset[int] = frozenset()
    likelihoods: tuple[float, ...] = ()
    arm: str | None = None

    @property
    def used_queries(self) -> list[int]:
        """Return the queries that filters left, by rank."""
        return [n for n in self.query_nos or () if n not in self.removed]


@dataclass(frozen=True, slots=True)
class UserOutcome:
    """One row of ``user_outcomes`` without the run."""

    user_no: int
    outcome: Outcome
    n_queries: int = 0
    n_found: int = 0
    n_recommended: int = 0
    n_pinned: int = 0
    short_reason: str | None = None
    error: str | None = None


# The table is run_users, or the users whose last purchase is hidden: none is held back. No text
# makes the lists of other arms than the paper's.
_INPUTS = """
SELECT u.user_no, u.n_bought, g.generation_no, h.arm,
       CASE WHEN coalesce(h.arm, 'paper') = 'paper' THEN u.prompt_no END AS prompt_no,
       CASE WHEN coalesce(h.arm, 'paper') = 'paper' THEN u.last_query_no END AS last_query_no,
       array_remove(array_agg(q.query_no ORDER BY q.rank), NULL) AS query_nos,
       array_agg(q.sum_logprob ORDER BY q.rank) AS sums,
       array_agg(q.n_tokens ORDER BY q.rank) AS lengths
FROM {users} AS u
LEFT JOIN holdback_users AS h ON h.run_no = :run_no AND h.user_no = u.user_no AND NOT :held_out
LEFT JOIN generations AS g ON g.prompt_no = u.prompt_no AND coalesce(h.arm, 'paper') = 'paper'
    AND g.content_hash = :content_hash AND g.decoding_no = :decoding_no
LEFT JOIN generated_queries AS q USING (generation_no)
WHERE u.run_no = :run_no AND u.user_no = ANY(:users)
GROUP BY u.user_no, u.prompt_no, u.n_bought, u.last_query_no, g.generation_no, h.arm
ORDER BY u.user_no
"""
_OF_COHORT = text(_INPUTS.format(users="run_users"))
_HELD_OUT = text(
    _INPUTS.format(users="(SELECT *, cardinality(bought_item_nos) AS n_bought FROM held_out_users)")
)


def load_inputs(
    connection: Connection, run: Run, user_nos: Sequence[int], *, held_out: bool = False
) -> list[UserInput]:
    """Return the frozen inputs of these cohort users, in order of user number.

    held_out: those without the hidden purchase.
    """
    found = connection.execute(
        _HELD_OUT if held_out else _OF_COHORT,
        {
            "run_no": run.run_no,
            "users": list(user_nos),
            "held_out": held_out,
            "content_hash": run.content_hash,
            "decoding_no": run.decoding_no,
        },
    ).all()
    removed = load_removed(
        connection, run.filters_no, (n for row in found for n in row.query_nos)
    ).keys()
    return [
        UserInput(
            row.user_no,
            row.prompt_no,
            row.n_bought,
            row.last_query_no,
            None if row.generation_no is None else tuple(row.query_nos),
            frozenset(removed & set(row.query_nos)),
            tuple(
                GeneratedQuery("", total, length).likelihood
                for _, total, length in zip(row.query_nos, row.sums, row.lengths, strict=False)
            ),
            row.arm,
        )
        for row in found
    ]


def load_newest(
    connection: Connection, run_no: int, user_nos: Sequence[int]
) -> dict[int, list[int]]:
    """Return user number -> the newest purchases frozen for the run, newest first."""
    found = connection.execute(
        text("""
        SELECT user_no, newest_item_nos FROM run_users
        WHERE run_no = :run_no AND user_no = ANY(:users)
        """),
        {"run_no": run_no, "users": list(user_nos)},
    )
    return {row.user_no: row.newest_item_nos for row in found}


def load_bought(
    connection: Connection, run: Run, user_nos: Sequence[int]
) -> dict[int, frozenset[int]]:
    """Return user number -> item numbers bought up to the run's cut-off."""
    found = connection.execute(
        text("""
        SELECT user_no, array_agg(DISTINCT item_no) AS item_nos FROM interactions
        WHERE user_no = ANY(:users) AND version <= :history_version GROUP BY user_no
        """),
        {"users": list(user_nos), "history_version": run.history_version},
    )
    return {row.user_no: frozenset(row.item_nos) for row in found}


def next_users(connection: Connection, run_no: int, after: int, limit: int) -> list[int]:
    """Return the next ``limit`` users of a run's cohort after user number ``after``."""
    found = connection.execute(
        text(
            "SELECT user_no FROM run_users WHERE run_no = :run_no AND user_no > :after "
            "ORDER BY user_no LIMIT :limit"
        ),
        {"run_no": run_no, "after": after, "limit": limit},
    )
    return list(found.scalars())


def load_titles(connection: Connection, run: Run, item_nos: Collection[int]) -> dict[int, int]:
    """Return item number -> frozen query number of its title."""
    found = connection.execute(
        text("""
        SELECT item_no, query_no FROM run_titles
        WHERE run_no = :run_no AND item_no = ANY(:numbers)
        """),
        {"run_no": run.run_no, "numbers": sorted(item_nos)},
    )
    return {row.item_no: row.query_no for row in found}


def load_popular(connection: Connection, run: Run, limit: int | None) -> list[int]:
    """Return the first ``limit`` (None: all) of the run's frozen popular items."""
    found = connection.execute(
        text("SELECT item_no FROM run_popular WHERE run_no = :run_no ORDER BY rank LIMIT :limit"),
        {"run_no": run.run_no, "limit": limit},
    )
    return list(found.scalars())


def popular_rank(connection: Connection, run: Run, item_no: int) -> int | None:
    """Return the rank of an item among the run's frozen popular items; None: it is none."""
    return connection.execute(
        text("SELECT rank FROM run_popular WHERE run_no = :run_no AND item_no = :item_no"),
        {"run_no": run.run_no, "item_no": item_no},
    ).scalar_one_or_none()


def store_lists(
    connection: Connection,
    run_no: int,
    outcomes: Sequence[UserOutcome],
    recommendations: Iterable[Sequence[object]],
    *,
    tables: str | None = None,
) -> int:
    """Store outcomes and recommendation rows of a run; return the total number of rows.

    tables: suffix of both table names; None: that of the run's partitions.
    recommendations: (user_no, rank, item_no, source, query_no, query_rank, hit_rank, score,
    from_item_no, fused_score, merge_rank, rerank_score, promoted_by).
    """
    ending = tables or str(run_no)
    stored = copy_rows(
        connection,
        f"user_outcomes_{ending}",
        [
            "run_no",
            "user_no",
            "outcome",
            "n_queries",
            "n_found",
            "n_recommended",
            "n_pinned",
            "short_reason",
            "error",
        ],
        (
            (
                run_no,
                o.user_no,
                o.outcome.value,
                o.n_queries,
                o.n_found,
                o.n_recommended,
                o.n_pinned,
                o.short_reason,
                o.error,
            )
            for o in outcomes
        ),
    )
    return stored + copy_rows(
        connection,
        f"recommendations_{ending}",
        [
            "run_no",
            "user_no",
            "rank",
            "item_no",
            "source",
            "query_no",
            "query_rank",
            "hit_rank",
            "score",
            "from_item_no",
            "fused_score",
            "merge_rank",
            "rerank_score",
            "promoted_by",
        ],
        ((run_no, *row) for row in recommendations),
    )
