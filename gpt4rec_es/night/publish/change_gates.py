"""Gates that compare a run with the published one, which it would replace."""

from gpt4rec_es.night.publish import measures as names
from gpt4rec_es.night.publish.checked import (
    Checked,
    Verdict,
    chance_of,
    changed_inputs,
    has_equal_inputs,
    usually,
)

_FIRST = Verdict(True, "nothing is published yet", "nothing")
# Users that bought something since, if none has another list, purchases were not read.
_MOVED_USERS, _MOVED_FRACTION = 20, 0.01


def lists_resemble_the_published(checked: Checked) -> Verdict:
    """Check that lists overlap with the published ones as much as usual, and follow purchases.

    Where all inputs are equal, all lists must be. Where an operator changed recipe, generator,
    rules or the like, or recently shown items are left out, the overlap is only measured.
    """
    found = checked.measures.get(names.OVERLAP)
    if checked.before is None or found is None:
        return _FIRST
    if found.value is None:  # of a canary, perhaps by chance
        none = "no user is in both runs"
        return Verdict(checked.run.is_canary, none, "users in both runs")
    equal = checked.measures[names.EQUAL_LISTS].value
    measured = (
        f"mean Jaccard similarity {found.value:.3f} with {checked.before.run_id}"
        f"{usually(found, '.3f')}; {_purchases(checked)}"
    )
    if has_equal_inputs(checked):
        return Verdict(equal == 1, measured, "1, because all inputs are equal")
    if required := _unread_purchases(checked):
        return Verdict(False, measured, required)
    if other := _excuse(checked):
        return Verdict(True, measured, f"nothing, because {other}")
    least = checked.limits.overlap
    if found.usual is not None:
        least = max(least, found.usual / checked.limits.rise)
    least = max(0.0, least - checked.room(least, found.n))
    return Verdict(found.value >= least, measured, f"at least {least:.3f}")


def _purchases(checked: Checked) -> str:
    still, others = (checked.measures[name] for name in (names.STILL_LISTS, names.OTHER_HISTORIES))
    return (
        f"{still.n:,} of {still.n + others.n:,} users bought since, {still.value or 0:.1%} of them "
        f"have the same list; {others.value or 0:.1%} of the others have another newest purchase"
    )


def _unread_purchases(checked: Checked) -> str:
    """Return what a run requires that did not read purchases as the published one did; else empty.

    Users that bought something get another list. All others keep their newest purchase, apart from
    those that bought an item again.
    """
    still, others = (checked.measures[name] for name in (names.STILL_LISTS, names.OTHER_HISTORIES))
    if still.value == 1 and still.n >= max(_MOVED_USERS, _MOVED_FRACTION * (still.n + others.n)):
        return "other lists for some that bought since"
    limit = checked.limits.shrinkage
    if others.value is not None and others.value > limit + chance_of(limit, others.n):
        return f"another newest purchase for at most {limit:.0%} of those that did not buy"
    return ""


def _excuse(checked: Checked) -> str:
    """Return why lists may be others than the published ones; empty: they may not."""
    if other := changed_inputs(checked):
        return f"{', '.join(other)} changed"
    if checked.run.manifest.get("rules", {}).get("shown_days"):
        return "recently shown items are left out"
    return ""


def cohort_did_not_shrink(checked: Checked) -> Verdict:
    """Check that the run has most of the users of the night before, and of their histories."""
    return _did_not_shrink(
        checked, {names.COHORT_USERS: "users", names.USABLE_USERS: "users with a usable history"}
    )


def catalog_did_not_shrink(checked: Checked) -> Verdict:
    """Check that most active items of the night before are there, at prices of the same size."""
    items = _did_not_shrink(checked, {names.ACTIVE_ITEMS: "active items"})
    price = checked.measures[names.MEDIAN_PRICE]
    if not price.before:  # unknown, or most items are free
        return items
    factor, most = (price.value or 0) / price.before, checked.limits.price_factor
    if most < 1:
        return items
    return Verdict(
        items.passed and 1 / most <= factor <= most,
        f"{items.measured}; median price {price.value or 0:g} after {price.before:g}",
        f"{items.required}; prices within a factor of {most:g}",
    )


def _did_not_shrink(checked: Checked, said: dict[str, str]) -> Verdict:
    found = {what: checked.measures[name] for name, what in said.items()}
    known = {what: one for what, one in found.items() if one.before is not None}
    if not known:
        return Verdict(True, "the night before has no measures", "nothing")
    limit = checked.limits.shrinkage
    return Verdict(
        all((one.value or 0) >= (1 - limit) * (one.before or 0) for one in known.values()),
        "; ".join(
            f"{one.value or 0:,.0f} {what} after {one.before:,.0f}" for what, one in known.items()
        ),
        f"at least {1 - limit:.0%} of the night before",
    )
