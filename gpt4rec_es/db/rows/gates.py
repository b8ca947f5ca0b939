"""Measurements of a run's stored lists for the gates, and storage of gate results.

Every number is counted from stored rows; night/publish/gates.py decides which value passes.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class GateResult:
    """Result of one gate. measured and required are texts for operators.

    importance: 1-based place among the gates, 1 the most important; None: of an older version.
    is_blocking False: a warning. reason: what a run that does not pass probably suffers from.
    """

    gate: str
    passed: bool
    measured: str
    required: str
    importance: int | None = None
    is_blocking: bool = True
    reason: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether the run must not be published."""
        return self.is_blocking and not self.passed


def store(connection: Connection, run_no: int, results: Sequence[GateResult]) -> None:
    """Store the gate results of a run; earlier results of the same gates are replaced."""
    connection.execute(
        text("""
        INSERT INTO gate_results
            (run_no, gate, passed, measured, required, importance, is_blocking, reason)
        SELECT :run_no, gate, passed, measured, required, importance, is_blocking, reason
        FROM jsonb_to_recordset(cast(:rows AS jsonb))
             AS x(gate text, passed boolean, measured text, required text, importance smallint,
                  is_blocking boolean, reason text)
        ON CONFLICT (run_no, gate) DO UPDATE SET passed = excluded.passed,
            measured = excluded.measured, required = excluded.required,
            importance = excluded.importance, is_blocking = excluded.is_blocking,
            reason = excluded.reason, checked_at = clock_timestamp()
        """),
        {"run_no": run_no, "rows": json.dumps([asdict(result) for result in results])},
    )


def load(connection: Connection, run_no: int) -> list[GateResult]:
    """Return the gate results of a run, failed gates first, then by importance.

    Empty before the run was checked.
    """
    found = connection.execute(
        text("""
        SELECT gate, passed, measured, required, importance, is_blocking, reason
        FROM gate_results WHERE run_no = :run_no
        ORDER BY passed, is_blocking DESC, importance, gate
        """),
        {"run_no": run_no},
    )
    return [GateResult(*row) for row in found]


def newest_results(connection: Connection) -> list[GateResult]:
    """Return the gate results of the newest run that was checked; empty: none was."""
    newest = connection.execute(text("SELECT max(run_no) FROM gate_results")).scalar_one()
    return [] if newest is None else load(connection, newest)


class Matching(NamedTuple):
    """Numbers of users with an outcome, in the cohort, and in only one of the two."""

    outcomes: int
    cohort: int
    unmatched: int


def match_outcomes(connection: Connection, run_no: int) -> Matching:
    """Count how a run's outcomes and its cohort match."""
    # The primary key allows one outcome per user, so equal counts mean one each.
    row = connection.execute(
        text("""
        SELECT count(o.user_no) AS outcomes, count(u.user_no) AS cohort,
               count(*) FILTER (WHERE o.user_no IS NULL OR u.user_no IS NULL) AS unmatched
        FROM (SELECT user_no FROM run_users WHERE run_no = :run_no) AS u
        FULL JOIN (SELECT user_no FROM user_outcomes WHERE run_no = :run_no) AS o USING (user_no)
        """),
        {"run_no": run_no},
    ).one()
    return Matching(*row)


def count_wrong_lists(connection: Connection, run_no: int) -> int:
    """Count the users whose list has a length other than in their outcome, or gaps in its ranks."""
    found = connection.execute(
        text("""
        SELECT count(*) FROM (
            SELECT user_no, count(*) AS n, max(rank) AS last FROM recommendations
            WHERE run_no = :run_no GROUP BY user_no) AS l
        FULL JOIN (SELECT user_no, n_recommended FROM user_outcomes
                   WHERE run_no = :run_no AND n_recommended > 0) AS o USING (user_no)
        WHERE l.n IS DISTINCT FROM o.n_recommended OR l.last IS DISTINCT FROM o.n_recommended
        """),
        {"run_no": run_no},
    )
    return int(found.scalar_one())


def count_failed(connection: Connection, run_no: int) -> tuple[int, int]:
    """Return the number of users of a run with outcome failed, and with any outcome."""
    row = connection.execute(
        text("""
        SELECT count(*) FILTER (WHERE outcome = 'failed'), count(*)
        FROM user_outcomes WHERE run_no = :run_no
        """),
        {"run_no": run_no},
    ).one()
    return row[0], row[1]


class Served(NamedTuple):
    """Counts over the users with a usable history: purchases that the run's sources can use.

    users: these users; with_prompt: those with a prompt, of which without_queries have no query
    after filters. without_hits: users without an item found by a source. mostly_fallbacks: users
    with a list that is filled by fallbacks to more than half. places: length of all
    lists; fallbacks: places filled by fallbacks. without_history: users without purchases or
    without titles, which are in none of these. held_back: users with a title that a holdback takes
    from the sources, in none of these either.
    """

    users: int
    with_prompt: int
    without_queries: int
    without_hits: int
    mostly_fallbacks: int
    places: int
    fallbacks: int
    without_history: int
    held_back: int


def count_served(connection: Connection, run_no: int) -> Served:
    """Count what a run's sources and its fallbacks did for the users with a usable history."""
    row = connection.execute(
        text("""
        SELECT count(*) FILTER (WHERE usable) AS users,
               count(*) FILTER (WHERE usable AND has_prompt) AS with_prompt,
               count(*) FILTER (WHERE usable AND has_prompt AND n_queries = 0) AS without_queries,
               count(*) FILTER (WHERE usable AND n_found = 0) AS without_hits,
               count(*) FILTER (
                   WHERE usable AND 2 * (n_recommended - n_found - n_pinned) > n_recommended)
                   AS mostly_fallbacks,
               coalesce(sum(n_recommended) FILTER (WHERE usable), 0) AS places,
               coalesce(sum(n_recommended - n_found - n_pinned) FILTER (WHERE usable), 0)
                   AS fallbacks,
               count(*) FILTER (WHERE outcome IN ('no_history', 'no_titles')) AS without_history,
               count(last_query_no) FILTER (WHERE outcome = 'held_back') AS held_back
        FROM (SELECT o.*, u.last_query_no, u.prompt_no IS NOT NULL AS has_prompt,
                     outcome IN ('ok', 'empty_query', 'no_hits') AS usable
              FROM user_outcomes AS o JOIN run_users AS u USING (run_no, user_no)
              WHERE run_no = :run_no) AS outcomes
        """),
        {"run_no": run_no},
    ).one()
    return Served(*map(int, row))


def recommended_ids(connection: Connection, run_no: int) -> list[str]:
    """Return the ids of the items in a run's lists that are in the catalog."""
    found = connection.execute(
        text("""
        SELECT i.item_id FROM items AS i
        WHERE i.item_no IN (SELECT item_no FROM recommendations WHERE run_no = :run_no)
        """),
        {"run_no": run_no},
    )
    return list(found.scalars())


def count_recommended_items(connection: Connection, run_no: int) -> int:
    """Count the distinct items of a run's lists, in the catalog or not."""
    found = connection.execute(
        text("SELECT count(DISTINCT item_no) FROM recommendations WHERE run_no = :run_no"),
        {"run_no": run_no},
    )
    return int(found.scalar_one())


def count_by_short_reason(connection: Connection, run_no: int) -> dict[str, int]:
    """Return short_reason -> number of users with hits, most first; "": lists of full length."""
    found = connection.execute(
        text("""
        SELECT coalesce(short_reason, '') AS reason, count(*) AS users
        FROM user_outcomes WHERE run_no = :run_no AND outcome = 'ok'
        GROUP BY 1 ORDER BY 2 DESC
        """),
        {"run_no": run_no},
    )
    return {row.reason: row.users for row in found}


def count_blocked(connection: Connection, run_no: int) -> int:
    """Count the recommendations of a run whose item its rules block."""
    found = connection.execute(
        text("""
        SELECT count(*) FROM recommendations AS r
        WHERE run_no = :run_no AND item_no IN (
            SELECT unnest(item_nos) FROM run_rules WHERE run_no = :run_no AND action = 'block')
        """),
        {"run_no": run_no},
    )
    return int(found.scalar_one())


def count_over_brand_cap(connection: Connection, run_no: int, most: int) -> int:
    """Count the (list, brand) pairs of a run with more than ``most`` items of a capped brand."""
    found = connection.execute(
        text("""
        SELECT count(*) FROM (
            SELECT FROM recommendations AS r JOIN (
                SELECT brand, unnest(item_nos) AS item_no FROM run_brands WHERE run_no = :run_no
            ) AS b USING (item_no)
            WHERE r.run_no = :run_no GROUP BY user_no, brand HAVING count(*) > :most) AS lists
        """),
        {"run_no": run_no, "most": most},
    )
    return int(found.scalar_one())
