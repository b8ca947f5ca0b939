"""Gates on fractions of users, lists, places and queries, against limits and earlier nights.

They judge users with a usable history and sources with weight: nobody else says what a run is
worth. A fraction of 0 has no value and does not pass.
"""

import math

from gpt4rec_es.db.rows.measures import Measured
from gpt4rec_es.night.publish import measures as names
from gpt4rec_es.night.publish.checked import (
    Checked,
    Verdict,
    chance_of,
    is_low,
    most_by_usual,
    usually,
)
from gpt4rec_es.options.features import FEATURES
from gpt4rec_es.options.lists import Fusion

_FALLBACKS = {
    names.USERS_WITHOUT_QUERIES: "users with a prompt have no queries",
    names.USERS_WITHOUT_HITS: "users have no hits",
    names.FALLBACK_LISTS: "lists are mostly fallbacks",
    names.FALLBACK_PLACES: "places are fallbacks",
}
# Part of the usual fraction of places that a source must fill, if that is not a small one.
_OF_USUAL, _SMALL = 0.2, 0.05


def few_fallbacks(checked: Checked) -> Verdict:
    """Check that the run's sources, not fallbacks, serve the users with a usable history.

    Bounds the users without queries (if the run writes queries), the users without hits, the lists
    that are mostly fallbacks, and the places filled by fallbacks. Users without purchases or titles
    are not counted. A limit of 1 judges nothing.
    """
    limit = checked.limits.fallbacks
    found = {name: checked.measures[name] for name in _FALLBACKS if name in checked.measures}
    without = checked.users - checked.measures[names.USABLE_USERS].n
    bounds = [most for one in found.values() if (most := most_by_usual(one, checked.limits))]
    return Verdict(
        all(
            is_low(one, limit, checked.limits, small_n=checked.run.is_canary)
            for one in found.values()
        ),
        "; ".join(f"{_part(one)} {_FALLBACKS[name]}{usually(one)}" for name, one in found.items())
        + f"; apart from {without:,} users without a usable history or held back",
        f"each at most {limit:.1%}, of more than 0"
        + (f", and {min(bounds):.1%} or more by the last nights" if bounds else "")
        + checked.alone,
    )


def _part(found: Measured) -> str:
    return f"{round((found.value or 0) * found.n):,} of {found.n:,}"


def lists_differ(checked: Checked) -> Verdict:
    """Check that users get different items and queries: none is in most lists.

    In a catalog that is hardly larger than a list, an item is in most lists; the limit rises with
    K / items.
    """
    limits, run = checked.limits, checked.run
    active = max(checked.measures[names.ACTIVE_ITEMS].value or 0, 1)
    limit = limits.top_item + (1 - limits.top_item) * min(run.k / active, 1)
    top = checked.measures[names.TOP_ITEM_LISTS]
    items = checked.measures[names.DISTINCT_ITEMS]
    least = min(3.0 * run.k, active / 2, items.n / 2)
    if items.usual is not None and not run.is_canary:  # fewer users have fewer items
        least = max(least, items.usual / 2)
    judged = [
        is_low(top, limit, limits, small_n=True),
        limits.top_item >= 1 or (items.value is not None and items.value >= least),
    ]
    measured = (
        f"the most frequent item is in {_share(top)} of lists; {items.value or 0:,.0f} distinct "
        f"items{usually(items, ',.0f')}"
    )
    required = f"at most {limit:.0%} of lists{_by_usual(top, checked)}, at least {least:,.0f} items"
    first = checked.measures.get(names.TOP_FIRST_QUERY_USERS)
    if first is not None:
        judged.append(is_low(first, limits.top_first_query, limits, small_n=True))
        measured += f"; the most frequent first query is that of {_share(first)} of users"
        required += f", at most {limits.top_first_query:.0%} of users{_by_usual(first, checked)}"
    return Verdict(all(judged), measured, required + checked.alone)


def _share(found: Measured) -> str:
    value = "none" if found.value is None else f"{found.value:.1%}"
    return value + usually(found)


def _by_usual(found: Measured, checked: Checked) -> str:
    most = most_by_usual(found, checked.limits)
    return "" if most is None else f" and {most:.1%} by the last nights"


def queries_are_readable(checked: Checked) -> Verdict:
    """Check that sampled queries are like titles: words, terms, symbols and length.

    They do not repeat themselves, have terms and symbols of titles, and are at most twice as long
    as the titles that the same users bought last.
    """
    if not checked.writes_queries:
        return Verdict(True, "the run writes no queries", "nothing")
    limits = checked.limits
    repeating = checked.measures[names.REPEATING_QUERIES]
    unknown = checked.measures[names.UNKNOWN_QUERIES]
    words = checked.measures[names.QUERY_WORDS]
    symbols = checked.measures[names.ODD_QUERIES]
    titles = checked.measures[names.TITLE_WORDS].value
    low, high = 0.0, math.inf if titles is None else titles * limits.rise
    if words.usual is not None:
        low, high = words.usual / limits.rise, max(high, words.usual * limits.rise)
    is_usual = words.value is not None and low <= words.value <= high
    return Verdict(
        is_low(repeating, limits.repeating_queries, limits, small_n=True)
        and is_low(unknown, limits.unknown_queries, limits, small_n=True)
        and is_low(symbols, limits.unknown_queries, limits, small_n=True)
        and (is_usual or limits.unknown_queries >= 1),
        f"of {repeating.n:,} queries {_share(repeating)} repeat words, {_share(unknown)} have no "
        f"known term and {_share(symbols)} symbols of no title; {words.value or 0:.1f} words each"
        + usually(words, ".1f")
        + ("" if titles is None else f", titles {titles:.1f}"),
        f"at most {limits.repeating_queries:.0%}{_by_usual(repeating, checked)}, at most "
        f"{limits.unknown_queries:.0%}{_by_usual(unknown, checked)} and of more than 0, at most "
        f"{limits.unknown_queries:.0%}; {low:.1f} words or more"
        + ("" if math.isinf(high) else f", at most {high:.1f}")
        + checked.alone,
    )


def every_source_took_part(checked: Checked) -> Verdict:
    """Check that each source with weight can change scores, and fills about as much as usual.

    In a learned fusion it needs a coefficient other than 0, or a re-ranker. A fifth of the usual
    part of places is enough, and a part that is usually small is not compared.
    """
    found = {name: checked.measures[names.SOURCE_PLACES + name] for name in checked.weights}
    idle = _idle_sources(checked)
    poor = [name for name, one in found.items() if _is_poor(one)]
    return Verdict(
        not idle and not poor,
        "; ".join(f"{name} fills {_share(one)} of places" for name, one in found.items())
        + "".join(f"; {name} has no coefficient" for name in idle),
        "a coefficient for each source, and a fifth of its usual part of places",
    )


def _idle_sources(checked: Checked) -> list[str]:
    """Return the sources of a learned fusion that no coefficient reads.

    A re-ranker scores the candidates of all sources, so with one none is idle.
    """
    fusion = Fusion.from_dict(checked.run.manifest.get("fusion"))
    if fusion.method != "learned" or fusion.uses_reranker:
        return []
    read = {
        source
        for name, value in fusion.coefficients
        if value
        for source in FEATURES[name.partition("*")[0]].sources
    }
    return [name for name in checked.weights if name not in read]


def _is_poor(found: Measured) -> bool:
    if found.usual is None or found.usual < _SMALL:
        return False
    least = found.usual * _OF_USUAL - chance_of(found.usual, found.n)
    return found.value is None or found.value < least
