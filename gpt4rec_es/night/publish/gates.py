"""Gates: checks that a run must pass before it is published, listed in ``GATES``.

Each gate reads stored rows or Elasticsearch and does not use the counts of the stages.
"""

from collections.abc import Callable

from elasticsearch import Elasticsearch
from sqlalchemy import Connection

from gpt4rec_es.db.engine import disable_statement_timeout
from gpt4rec_es.db.rows import gates as measured
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.gates import GateResult
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.index.inspect import count_active, describe_index
from gpt4rec_es.options.lists import QUERIES, Fusion

Check = Callable[[Connection, Elasticsearch, Run], tuple[bool, str, str]]

# Number of ids per terms query: a quarter of Elasticsearch's default max_terms_count.
_IDS_PER_QUERY = 16_384


def every_user_has_one_outcome(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Check that exactly the cohort has outcomes, and that lists have their recorded length."""
    found = measured.match_outcomes(connection, run.run_no)
    wrong_lists = measured.count_wrong_lists(connection, run.run_no)
    passed = found.unmatched == 0 and found.cohort == run.cohort_size and wrong_lists == 0
    return (
        passed,
        (
            f"{found.outcomes} outcomes for {found.cohort} users, {found.unmatched} unmatched, "
            f"{wrong_lists} lists of another length than recorded"
        ),
        f"one for each of {run.cohort_size} users, every list as recorded",
    )


def few_users_failed(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Check that the fraction of users with outcome failed is within the manifest's limit."""
    failed = measured.count_failed(connection, run.run_no)
    limit = run.manifest["gates"]["max_failed_fraction"]
    return (
        run.cohort_size > 0 and failed <= limit * run.cohort_size,
        f"{failed} of {run.cohort_size} users failed",
        f"at most {limit:.2%}",
    )


def items_exist_and_are_active(
    connection: Connection, elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Check that every recommended item is in the pinned build and active at its version."""
    item_ids = measured.recommended_ids(connection, run.run_no)
    active = sum(
        count_active(elastic, run.index_name, item_ids[start : start + _IDS_PER_QUERY])
        for start in range(0, len(item_ids), _IDS_PER_QUERY)
    )
    distinct = measured.count_recommended_items(connection, run.run_no)
    return (
        0 < active == distinct,
        f"{active} of {distinct} recommended items are active in {run.index_name}",
        "all of them, and at least one",
    )


def lists_are_full(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Check that enough of the users with hits have K items before fallbacks; 0: not judged."""
    users = measured.count_by_short_reason(connection, run.run_no)
    with_hits, full = sum(users.values()), users.get("", 0)
    limit = run.manifest["gates"]["min_full_fraction"]
    reasons = ", ".join(f"{n} {reason}" for reason, n in users.items() if reason)
    return (
        limit == 0 or (with_hits > 0 and full >= limit * with_hits),
        f"{full} of {with_hits} users with hits have {run.k} items before fallbacks"
        + (f" (short: {reasons})" if reasons else ""),
        f"at least {limit:.1%}",
    )


def few_fallbacks(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Check that the run's sources, not fallbacks, serve the users with a usable history.

    Bounds the users without queries (if the run writes queries), the users without hits,
    and the places filled by fallbacks. Users without purchases or titles are not counted. A limit
    of 1 judges nothing.
    """
    found = measured.count_served(connection, run.run_no)
    limit = run.manifest["gates"].get("max_fallback_fraction", 1.0)
    weights = dict(Fusion.from_dict(run.manifest.get("fusion")).weights)
    parts = {
        "users with a prompt have no queries": (found.without_queries, found.with_prompt),
        "users have no hits": (found.without_hits, found.users),
        "places are fallbacks": (found.fallbacks, found.places),
    }
    if not weights.get(QUERIES) or run.generator_no is None:
        del parts["users with a prompt have no queries"]
    return (
        limit >= 1 or all(total > 0 and part <= limit * total for part, total in parts.values()),
        "; ".join(f"{part:,} of {total:,} {what}" for what, (part, total) in parts.items())
        + f"; apart from {found.without_history:,} users without a usable history",
        f"each at most {limit:.1%}, of more than 0",
    )


def rules_are_kept(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Check that no list has a blocked item, or more items of a brand than allowed."""
    if "rules" not in run.manifest:
        return True, "the run has no rules", "none broken"
    blocked = measured.count_blocked(connection, run.run_no)
    most = run.manifest["rules"].get("max_per_brand", 0)
    over_cap = measured.count_over_brand_cap(connection, run.run_no, most)
    return (
        blocked == 0 and over_cap == 0,
        f"{blocked} blocked recommendations, {over_cap} lists with too many items of a brand",
        "none of either",
    )


def re_ranker_took_part(
    connection: Connection, _elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Check that a re-ranker that the manifest names read the users and scored places.

    Users whose vector could not be made get a list without it and do not count as failed. Those
    whose newest items it does not know can have none. Without places by a fused score there is
    nothing to score.
    """
    if run.manifest.get("reranker") is None:
        return True, "the run has no re-ranker", "nothing"
    found = measured.count_reranked(connection, run.run_no)
    limit = run.manifest["gates"]["max_failed_fraction"]
    scores = "no place has a fused score, so there was nothing to score"
    if found.places:
        scores = f"{found.scored:,} of {found.places:,} places have a score of the re-ranker"
    return (
        found.without_vector <= limit * found.users and (found.scored > 0 or not found.places),
        f"{found.without_vector:,} of {found.users:,} users with purchases that it knows have no "
        "vector; " + scores,
        f"at most {limit:.2%} without a vector, and at least one place with a score",
    )


def build_is_unchanged(
    _connection: Connection, elastic: Elasticsearch, run: Run
) -> tuple[bool, str, str]:
    """Check that the pinned build has its recorded uuid, documents, k1 and b."""
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
    """Check that the run's date and attempt come after those of the published run."""
    current = run_rows.load_published(connection, run.kind)
    if current is None:
        return True, f"{run.run_id}; nothing is published yet", "newer than the published run"
    return (
        (run.logical_date, run.attempt) > (current.logical_date, current.attempt),
        f"{run.run_id} after {current.run_id}",
        "newer than the published run",
    )


GATES: tuple[Check, ...] = (
    every_user_has_one_outcome,
    few_users_failed,
    items_exist_and_are_active,
    lists_are_full,
    few_fallbacks,
    rules_are_kept,
    re_ranker_took_part,
    build_is_unchanged,
    is_newer_than_published,
)


def check(connection: Connection, elastic: Elasticsearch, run: Run) -> list[GateResult]:
    """Return the results of all gates, also after a failed one."""
    disable_statement_timeout(connection)
    return [GateResult(gate.__name__, *gate(connection, elastic, run)) for gate in GATES]
