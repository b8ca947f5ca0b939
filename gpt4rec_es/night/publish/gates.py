"""The blocking checks before a run is published; add one by adding a function to ``GATES``.

Each reads the stored rows, or the server itself, and trusts nothing that the stages counted.
"""

from collections.abc import Callable
from dataclasses import dataclass

from elasticsearch import Elasticsearch
from sqlalchemy import Connection, text

from gpt4rec_es.db.engine import unhurried
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.index.inspect import count_active, describe_index


@dataclass(frozen=True, slots=True)
class GateResult:
    """What one gate found. measured and required are sentences for people."""

    gate: str
    passed: bool
    measured: str
    required: str


Check = Callable[[Connection, Elasticsearch, Run], tuple[bool, str, str]]

# One terms query per so many ids: a quarter of what Elasticsearch allows by default.
_IDS_PER_QUERY = 16_384


def every_user_has_one_outcome(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Say whether exactly the cohort has outcomes, and every list is as long as recorded."""
    row = connection.execute(
        text("""
        SELECT count(o.user_no) AS outcomes, count(u.user_no) AS cohort,
               count(*) FILTER (WHERE o.user_no IS NULL OR u.user_no IS NULL) AS unmatched
        FROM (SELECT user_no FROM run_users WHERE run_no = :run_no) AS u
        FULL JOIN (SELECT user_no FROM user_outcomes WHERE run_no = :run_no) AS o USING (user_no)
        """),
        {"run_no": run.run_no},
    ).one()
    # The key makes a second outcome impossible, so equal counts mean one each.
    wrong_lists = connection.execute(
        text("""
        SELECT count(*) FROM (
            SELECT user_no, count(*) AS n, max(rank) AS last FROM recommendations
            WHERE run_no = :run_no GROUP BY user_no) AS l
        FULL JOIN (SELECT user_no, n_recommended FROM user_outcomes
                   WHERE run_no = :run_no AND n_recommended > 0) AS o USING (user_no)
        WHERE l.n IS DISTINCT FROM o.n_recommended OR l.last IS DISTINCT FROM o.n_recommended
        """),
        {"run_no": run.run_no},
    ).scalar_one()
    passed = row.unmatched == 0 and row.cohort == run.cohort_size and wrong_lists == 0
    return (
        passed,
        (
            f"{row.outcomes} outcomes for {row.cohort} users, {row.unmatched} unmatched, "
            f"{wrong_lists} lists of another length than recorded"
        ),
        f"one for each of {run.cohort_size} users, every list as recorded",
    )


def few_users_failed(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Say whether the share of users with outcome failed is within the manifest's limit."""
    failed = connection.execute(
        text("""
        SELECT count(*) FROM user_outcomes WHERE run_no = :run_no AND outcome = 'failed'
        """),
        {"run_no": run.run_no},
    ).scalar_one()
    limit = run.manifest["gates"]["max_failed_share"]
    return (
        failed <= limit * run.cohort_size,
        f"{failed} of {run.cohort_size} users failed",
        f"at most {limit:.2%}",
    )


def items_exist_and_are_active(
    connection: Connection, elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Say whether every recommended item is in the pinned build, active at its version."""
    found = connection.execute(
        text("""
        SELECT i.item_id FROM items AS i
        WHERE i.item_no IN (SELECT item_no FROM recommendations WHERE run_no = :run_no)
        """),
        {"run_no": run.run_no},
    )
    item_ids = [row.item_id for row in found]
    active = sum(
        count_active(elastic, run.index_name, item_ids[start : start + _IDS_PER_QUERY])
        for start in range(0, len(item_ids), _IDS_PER_QUERY)
    )
    distinct = connection.execute(
        text("SELECT count(DISTINCT item_no) FROM recommendations WHERE run_no = :run_no"),
        {"run_no": run.run_no},
    ).scalar_one()
    return (
        active == distinct,
        f"{active} of {distinct} recommended items are active in {run.index_name}",
        "all of them",
    )


def lists_are_full(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Say whether enough of the users with hits have K items before any fallback."""
    rows = connection.execute(
        text("""
        SELECT coalesce(short_reason, '') AS reason, count(*) AS users
        FROM user_outcomes WHERE run_no = :run_no AND outcome = 'ok'
        GROUP BY 1 ORDER BY 2 DESC
        """),
        {"run_no": run.run_no},
    ).all()
    with_hits = sum(row.users for row in rows)
    full = sum(row.users for row in rows if not row.reason)
    limit = run.manifest["gates"]["min_full_share"]
    reasons = ", ".join(f"{row.users} {row.reason}" for row in rows if row.reason)
    return (
        full >= limit * with_hits,
        f"{full} of {with_hits} users with hits have {run.k} items before fallbacks"
        + (f" (short: {reasons})" if reasons else ""),
        f"at least {limit:.1%}",
    )


def rules_are_kept(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Say whether no list has an item that a rule of the run keeps out, or too many of a brand."""
    if "rules" not in run.manifest:
        return True, "the run has no rules", "none broken"
    blocked = connection.execute(
        text("""
        SELECT count(*) FROM recommendations AS r
        WHERE run_no = :run_no AND item_no IN (
            SELECT unnest(item_nos) FROM run_rules WHERE run_no = :run_no)
        """),
        {"run_no": run.run_no},
    ).scalar_one()
    crowded = connection.execute(
        text("""
        SELECT count(*) FROM (
            SELECT FROM recommendations AS r JOIN (
                SELECT brand, unnest(item_nos) AS item_no FROM run_brands WHERE run_no = :run_no
            ) AS b USING (item_no)
            WHERE r.run_no = :run_no GROUP BY user_no, brand HAVING count(*) > :most) AS lists
        """),
        {"run_no": run.run_no, "most": run.manifest["rules"].get("max_per_brand", 0)},
    ).scalar_one()
    return (
        blocked == 0 and crowded == 0,
        f"{blocked} recommendations that are kept out, {crowded} lists with too many of a brand",
        "none of either",
    )


def build_is_unchanged(
    _connection: Connection, elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Say whether the pinned build still is what was recorded: uuid, documents, k1 and b."""
    wanted = run.manifest["build"]
    found = describe_index(elastic, run.index_name)
    same = (
        found.uuid == wanted["uuid"]
        and found.documents == wanted["documents"]
        and abs(found.bm25.k1 - wanted["k1"]) < 1e-6
        and abs(found.bm25.b - wanted["b"]) < 1e-6
    )
    return (
        same,
        f"{found.documents} documents, k1 {found.bm25.k1:g}, b {found.bm25.b:g}, uuid {found.uuid}",
        (
            f"{wanted['documents']} documents, k1 {wanted['k1']:g}, b {wanted['b']:g}, "
            f"uuid {wanted['uuid']}"
        ),
    )


def is_newer_than_published(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Say whether its date, and attempt of that date, come after those of the published run."""
    row = connection.execute(
        text("""
        SELECT r.run_id, r.logical_date, r.attempt
        FROM publications AS p JOIN runs AS r USING (run_no) WHERE p.kind = :kind
        """),
        {"kind": run.kind},
    ).one_or_none()
    if row is None:
        return True, f"{run.run_id}; nothing is published yet", "newer than the published run"
    return (
        (run.logical_date, run.attempt) > (row.logical_date, row.attempt),
        f"{run.run_id} after {row.run_id}",
        "newer than the published run",
    )


GATES: tuple[Check, ...] = (
    every_user_has_one_outcome,
    few_users_failed,
    items_exist_and_are_active,
    lists_are_full,
    rules_are_kept,
    build_is_unchanged,
    is_newer_than_published,
)


def check(connection: Connection, elastic: Elasticsearch, run: Run) -> list[GateResult]:
    """Return the result of every gate, also after one that did not pass."""
    unhurried(connection)
    return [GateResult(gate.__name__, *gate(connection, elastic, run)) for gate in GATES]
