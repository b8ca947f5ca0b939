"""Lists as they are stored: read for one user, counted, and two sets of them compared."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.lists import UserOutcome
from gpt4rec_es.records import Outcome


@dataclass(frozen=True, slots=True)
class Lists:
    """Where lists are: those of a run in ``table``, which has the columns of recommendations."""

    run_no: int
    table: str = "recommendations"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One row of a user's list; ``query``: the text that found it, None: no query did."""

    rank: int
    item_no: int
    source: str
    query_rank: int | None
    hit_rank: int | None
    score: float | None
    from_item_no: int | None
    fused_score: float | None
    query: str | None


def count_rows(connection: Connection, lists: Lists) -> int:
    """Return how many recommendations there are in these lists."""
    found = connection.execute(
        # Only the name of a table is put in; values are bound.
        text(f"SELECT count(*) FROM {lists.table} WHERE run_no = :run_no"),  # noqa: S608
        {"run_no": lists.run_no},
    )
    return int(found.scalar_one())


def load_list(connection: Connection, run_no: int, user_no: int) -> list[Recommendation]:
    """Return a user's list of a run by rank; empty: there is none."""
    found = connection.execute(
        text("""
        SELECT r.rank, r.item_no, r.source, r.query_rank, r.hit_rank, r.score, r.from_item_no,
            r.fused_score, q.text AS query
        FROM recommendations AS r LEFT JOIN queries AS q USING (query_no)
        WHERE r.run_no = :run_no AND r.user_no = :user_no ORDER BY r.rank
        """),
        {"run_no": run_no, "user_no": user_no},
    )
    return [Recommendation(*row) for row in found]


def load_outcome(connection: Connection, run_no: int, user_no: int) -> UserOutcome | None:
    """Return what became of a user in a run; None: the user is not merged yet."""
    row = connection.execute(
        text("""
        SELECT user_no, outcome, n_queries, n_found, n_recommended, short_reason, error
        FROM user_outcomes WHERE run_no = :run_no AND user_no = :user_no
        """),
        {"run_no": run_no, "user_no": user_no},
    ).one_or_none()
    return None if row is None else UserOutcome(row[0], Outcome(row[1]), *row[2:])


def count_outcomes(connection: Connection, run_no: int) -> int:
    """Return how many users of a run have an outcome."""
    found = connection.execute(
        text("SELECT count(*) FROM user_outcomes WHERE run_no = :run_no"), {"run_no": run_no}
    )
    return int(found.scalar_one())
