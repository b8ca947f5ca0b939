"""Gates on what every list must be: complete, of active items, unbought, by the run's rules.

They read stored rows or Elasticsearch and do not use the counts of the stages.
"""

from gpt4rec_es.db.rows import gates as measured
from gpt4rec_es.db.rows.measures import CLOCK_AHEAD
from gpt4rec_es.db.rows.reranked import count_distinct_vectors, count_reranked
from gpt4rec_es.index.inspect import count_active
from gpt4rec_es.night.publish import measures as names
from gpt4rec_es.night.publish.checked import Checked, Verdict

# Number of ids per terms query: a quarter of Elasticsearch's default max_terms_count.
_IDS_PER_QUERY = 16_384
# User vectors that are compared with each other; fewer may be of users with equal purchases.
_VECTORS, _MIN_VECTORS = 10_000, 100


def every_user_has_one_outcome(checked: Checked) -> Verdict:
    """Check that exactly the cohort has outcomes, and that lists have their recorded length."""
    connection, run = checked.connection, checked.run
    found = measured.match_outcomes(connection, run.run_no)
    wrong_lists = measured.count_wrong_lists(connection, run.run_no)
    passed = found.unmatched == 0 and found.cohort == run.cohort_size and wrong_lists == 0
    return Verdict(
        passed,
        f"{found.outcomes} outcomes for {found.cohort} users, {found.unmatched} unmatched, "
        f"{wrong_lists} lists of another length than recorded",
        f"one for each of {run.cohort_size} users, every list as recorded",
    )


def few_users_failed(checked: Checked) -> Verdict:
    """Check that the fraction of users with outcome failed is within the manifest's limit."""
    run = checked.run
    failed, users = measured.count_failed(checked.connection, run.run_no)
    limit = checked.limits.failed + checked.room(checked.limits.failed, users)
    return Verdict(
        users > 0 and failed <= limit * users,
        f"{failed} of {users} users failed",
        f"at most {limit:.2%}",
    )


def items_exist_and_are_active(checked: Checked) -> Verdict:
    """Check that every recommended item is in the pinned build and active at its version."""
    connection, run = checked.connection, checked.run
    item_ids = measured.recommended_ids(connection, run.run_no)
    active = sum(
        count_active(checked.elastic, run.index_name, item_ids[start : start + _IDS_PER_QUERY])
        for start in range(0, len(item_ids), _IDS_PER_QUERY)
    )
    distinct = measured.count_recommended_items(connection, run.run_no)
    return Verdict(
        0 < active == distinct,
        f"{active} of {distinct} recommended items are active in {run.index_name}",
        "all of them, and at least one",
    )


def bought_items_are_left_out(checked: Checked) -> Verdict:
    """Check that no list of a sample of users has an item that its user bought."""
    if not checked.run.manifest["exclude_bought"]:
        return Verdict(True, "the run recommends bought items as well", "nothing")
    found = checked.measures[names.BOUGHT_PLACES]
    return Verdict(
        found.value == 0,
        f"{found.value:.0f} bought items in the lists of {found.n:,} users",
        "none",
    )


def rules_are_kept(checked: Checked) -> Verdict:
    """Check that no list has a blocked item, or more items of a brand than allowed."""
    connection, run = checked.connection, checked.run
    if "rules" not in run.manifest:
        return Verdict(True, "the run has no rules", "none broken")
    blocked = measured.count_blocked(connection, run.run_no)
    most = run.manifest["rules"].get("max_per_brand", 0)
    over_cap = measured.count_over_brand_cap(connection, run.run_no, most)
    return Verdict(
        blocked == 0 and over_cap == 0,
        f"{blocked} blocked recommendations, {over_cap} lists with too many items of a brand",
        "none of either",
    )


def scores_are_numbers(checked: Checked) -> Verdict:
    """Check that every score in lists and sampled queries is a finite number."""
    found = checked.measures[names.ODD_SCORES]
    return Verdict(
        found.value == 0, f"{found.value:.0f} of {found.n:,} scores are no finite numbers", "none"
    )


def lists_are_full(checked: Checked) -> Verdict:
    """Check that enough of the users with hits have K items before fallbacks; 0: not judged."""
    run = checked.run
    users = measured.count_by_short_reason(checked.connection, run.run_no)
    with_hits, full = sum(users.values()), users.get("", 0)
    limit = max(0.0, checked.limits.full - checked.room(checked.limits.full, with_hits))
    reasons = ", ".join(f"{n} {reason}" for reason, n in users.items() if reason)
    return Verdict(
        limit == 0 or (with_hits > 0 and full >= limit * with_hits),
        f"{full} of {with_hits} users with hits have {run.k} items before fallbacks"
        + (f" (short: {reasons})" if reasons else ""),
        f"at least {limit:.1%}",
    )


def re_ranker_took_part(checked: Checked) -> Verdict:
    """Check that a re-ranker that the manifest names read the users and scored places.

    Users whose vector could not be made get a list without it and do not count as failed. Without
    places by a fused score there is nothing to score. Scores that are equal for all candidates of
    every user, and vectors that are equal for all users, are none.
    """
    run = checked.run
    if run.manifest.get("reranker") is None:
        return Verdict(True, "the run has no re-ranker", "nothing")
    found = count_reranked(checked.connection, run)
    limit = checked.limits.failed + checked.room(checked.limits.failed, found.users)
    scores = "no place has a fused score, so there was nothing to score"
    if found.places:
        scores = f"{found.scored:,} of {found.places:,} places have a score of the re-ranker"
    vectors, distinct = count_distinct_vectors(checked.connection, run.run_no, _VECTORS)
    few = (
        ""
        if distinct > 1 or vectors < _MIN_VECTORS
        else f"; {vectors:,} users have the same vector"
    )
    return Verdict(
        found.without_vector <= limit * found.users
        and (found.scored > 0 or not found.places)
        and not few,
        f"{found.without_vector:,} of {found.users:,} users with purchases that it knows have no "
        f"vector; {scores}" + few,
        f"at most {limit:.2%} without a vector, and at least one place with a score",
    )


def is_newer_than_published(checked: Checked) -> Verdict:
    """Check that the run's date and attempt come after those of the published run."""
    run, current = checked.run, checked.before
    if current is None:
        return Verdict(
            True, f"{run.run_id}; nothing is published yet", "newer than the published run"
        )
    return Verdict(
        (run.logical_date, run.attempt) > (current.logical_date, current.attempt),
        f"{run.run_id} after {current.run_id}",
        "newer than the published run",
    )


def clock_is_right(checked: Checked) -> Verdict:
    """Check that the planner's clock, which chose the date, agrees with that of Postgres."""
    limit = checked.limits.clock_seconds
    found = checked.measures.get(CLOCK_AHEAD)
    if found is None or found.value is None:
        return Verdict(True, "planned by a version that did not compare clocks", "nothing")
    return Verdict(
        abs(found.value) <= limit,
        f"the clock of the planner was {abs(found.value):,.0f} s "
        f"{'behind' if found.value < 0 else 'ahead of'} that of Postgres",
        f"at most {limit:g} s, ahead or behind",
    )
