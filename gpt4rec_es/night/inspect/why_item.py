"""Explain why one item is, or is not, in a user's list of a run; needs Postgres only.

The answer is read off the merge of the stored hits, so it names the step that decided.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.rows.items import Name, find_item, load_names
from gpt4rec_es.db.rows.lists import popular_rank
from gpt4rec_es.db.rows.rules import load_run_rules
from gpt4rec_es.db.rows.texts import load_queries
from gpt4rec_es.night.inspect.merged_again import MergedAgain, external_row, merge_again
from gpt4rec_es.options.holdback import NOTHING, POPULARITY
from gpt4rec_es.ranking import trace
from gpt4rec_es.ranking.fuse import add_up, contributions_of
from gpt4rec_es.ranking.promotions import BOOST
from gpt4rec_es.ranking.trace import Found
from gpt4rec_es.ranking.vectors import NO_BEST
from gpt4rec_es.records import Outcome, Source

Reason = Literal[
    "not_in_catalog",  # no item has this id
    "listed",
    "no_list",  # the user is not merged yet, or failed
    "bought",
    "held_back",  # the user's arm of the holdback gets no list, or only popular items
    "ruled_out",  # by a block rule, a filter, the limit per brand, or because it was shown lately
    "outranked",  # a candidate; others had higher fused scores
    "not_candidate",  # found by hits that count, but not among the best ``candidates`` of a source
    "quota_ended",  # found by a query after the last hit that the query could place
    "displaced",  # a query could place it, but boosted items moved before it
    "not_counted",  # found only by hits that do not count, or by fallbacks that were not needed
    "inactive",
    "no_title",
    "not_found",
]


@dataclass(frozen=True, slots=True)
class Place:
    """Place of a candidate among all candidates of a fused list, best first.

    last_score: fused score of the last listed candidate; None: none is listed. contributions: part
    of each source in ``fused_score``.
    """

    place: int
    candidates: int
    fused_score: float
    last_score: float | None
    contributions: dict[str, float]


@dataclass(frozen=True, slots=True)
class ItemExplanation:
    """Explanation of one item for one user's list, as JSON values.

    title, is_active: as they are now; None: not in the catalog. rule: the rule that excludes it,
    pinned it or moved it up. listed: its row. found: where the sources and fallbacks have it, with
    ``used_hits``, the number of first hits there that the list used. known_hits: hits known of each
    search with further ones; None: all hits of all searches are known. changed_since: the catalog
    row changed after the run's index was built. arm: of the run's holdback, None: not held back.
    """

    user_id: str
    run_id: str
    outcome: str | None
    item_id: str
    reason: Reason
    title: str | None = None
    is_active: bool | None = None
    rank: int | None = None
    listed: dict[str, Any] | None = None
    rule: dict[str, Any] | None = None
    fused: Place | None = None
    candidates_kept: int | None = None
    found: tuple[dict[str, Any], ...] = ()
    searches: int = 0
    known_hits: int | None = None
    changed_since: bool = False
    equals_merge_now: bool = True
    arm: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def explain_item(
    engine: Engine, user_id: str, item_id: str, run_id: str = "latest"
) -> ItemExplanation:
    """Return why an item is, or is not, in a user's list of a run (``latest``: the published run).

    Raises:
        UsageError: no such user or run, or the user is not in the run's cohort.
    """
    with engine.connect() as connection:
        again = merge_again(connection, user_id, run_id)
        item = find_item(connection, item_id)
        if item is not None:
            return _explain(connection, again, item_id, *item)
        outcome = again.outcome.outcome.value if again.outcome else None
        run_id, arm = again.run.run_id, again.user.arm
        return ItemExplanation(user_id, run_id, outcome, item_id, "not_in_catalog", arm=arm)


def _explain(
    connection: Connection, again: MergedAgain, item_id: str, item_no: int, version: int
) -> ItemExplanation:
    (name,) = load_names(connection, [item_no]).values()
    found = list(_found(again, item_no, popular_rank(connection, again.run, item_no)))
    rule = _rule(again, item_no)
    fused = _place(again, item_no)
    listed = _listed(connection, again, item_no)
    results = again.hits.all()
    fusion = again.inputs.fusion
    return ItemExplanation(
        again.user_id,
        again.run.run_id,
        again.outcome.outcome.value if again.outcome else None,
        item_id,
        _reason(again, item_no, name, rule, fused, found),
        title=name.title,
        is_active=name.is_active,
        rank=None if listed is None else listed["rank"],
        listed=listed,
        rule=_run_rule(connection, again, rule or again.merge.promoted.get(item_no)),
        fused=fused,
        candidates_kept=None if fusion.is_plain else fusion.candidates,
        found=tuple(_named(connection, again, found)),
        searches=len(results),
        known_hits=min((len(r.item_nos) for r in results if not r.exhausted), default=None),
        changed_since=version > again.run.manifest["build"]["catalog_version"],
        equals_merge_now=again.equals_stored,
        arm=again.user.arm,
    )


def _reason(
    again: MergedAgain,
    item_no: int,
    name: Name,
    rule: str | None,
    fused: Place | None,
    found: list[Found],
) -> Reason:
    """Return the first reason that holds, in the order in which a merge meets them."""
    by_query = any(one.source is Source.QUERIES for one in found)
    is_plain = again.inputs.fusion.is_plain
    reasons: list[tuple[Reason, bool]] = [
        ("listed", any(row.item_no == item_no for row in again.stored)),
        ("no_list", again.outcome is None or again.outcome.outcome is Outcome.FAILED),
        ("held_back", again.user.arm == NOTHING),
        ("bought", item_no in again.excluded),
        ("ruled_out", rule is not None),
        ("held_back", again.user.arm == POPULARITY),
        ("outranked", fused is not None),
        ("not_candidate", not is_plain and any(one.is_used for one in found)),
        ("displaced", is_plain and by_query and any(one.is_used for one in found)),
        ("quota_ended", is_plain and by_query),
        ("not_counted", bool(found)),
        ("no_title", name.title is None),
        ("inactive", not name.is_active),
    ]
    return next((reason for reason, holds in reasons if holds), "not_found")


def _found(again: MergedAgain, item_no: int, popular: int | None) -> Iterator[Found]:
    """Yield all places at which the item was found, also by queries that filters removed."""
    inputs, user = again.inputs, again.user
    used = again.used_hits()
    everything = inputs.query_hits(user, again.hits, with_removed=True)
    purchases = inputs.purchases(user, again.hits)
    best = inputs.with_best_items(every=True).vectors.best.get(user.user_no, NO_BEST)
    yield from trace.find_item(item_no, everything, purchases, inputs.fusion, used, best)
    last = None if user.last_query_no is None else again.hits.of_title(user.last_query_no)
    yield from trace.find_fallback(item_no, last, inputs.popular, popular, again.merge)


def _rule(again: MergedAgain, item_no: int) -> str | None:
    """Return the name of the rule that excludes the item from the list; None: none does."""
    list_filter = again.inputs.list_filter(again.user)
    if list_filter is not None and list_filter.blocks(item_no):
        return list_filter.removed[item_no]
    return again.merge.ruled_out.get(item_no)


def _run_rule(
    connection: Connection, again: MergedAgain, rule: str | None
) -> dict[str, Any] | None:
    if rule is None:
        return None
    rules = load_run_rules(connection, again.run.run_no)
    return next(one for one in rules if one["rule"] == rule)


def _place(again: MergedAgain, item_no: int) -> Place | None:
    """Return the place of the item among the candidates; None: it is none, or nothing is fused."""
    inputs = again.inputs
    rankings = inputs.rankings(again.user, again.hits)
    unboosted = add_up(rankings)
    if item_no not in unboosted:
        return None
    scores, _ = inputs.promotions.lift(unboosted)
    best_first = sorted(scores, key=scores.__getitem__, reverse=True)
    listed = [p.fused_score for p in again.merge.picks if p.fused_score is not None]
    parts = dict(zip(inputs.fusion.parts, contributions_of(item_no, rankings), strict=True))
    if inputs.promotions.boosts:
        parts[BOOST] = scores[item_no] - unboosted[item_no]
    return Place(
        best_first.index(item_no) + 1,
        len(scores),
        scores[item_no],
        listed[-1] if listed else None,
        parts,
    )


def _listed(connection: Connection, again: MergedAgain, item_no: int) -> dict[str, Any] | None:
    row = next((row for row in again.stored if row.item_no == item_no), None)
    if row is None:
        return None
    names = load_names(connection, {item_no, row.from_item_no or item_no})
    titles = {number: name._asdict() for number, name in names.items()}
    contributions = dict(enumerate(again.contributions(), start=1)).get(row.rank)
    return {**external_row(asdict(row), titles), "contributions": contributions}


def _named(
    connection: Connection, again: MergedAgain, found: list[Found]
) -> Iterator[dict[str, Any]]:
    """Yield the places with query texts and item ids instead of numbers."""
    query_nos = again.user.query_nos or ()
    numbers = {one: query_nos[one.query_rank - 1] for one in found if one.query_rank}
    texts = dict(zip(numbers, load_queries(connection, list(numbers.values())), strict=True))
    names = load_names(connection, {n for one in found if (n := one.from_item_no) is not None})
    for one in found:
        values = asdict(one)
        from_item = names.get(values.pop("from_item_no"))
        yield {
            **values,
            "query": texts.get(one),
            "is_filtered": numbers.get(one) in again.user.removed,
            "from_item": None if from_item is None else from_item._asdict(),
        }
