"""Merge the hits of a user's queries into one list of k items, by ranks only.

Scores of different queries cannot be compared, so each query gets a quota of k/m places (GPT4Rec,
section 3.3); this module defines the details. Pure and fast: a night calls it once per user.
"""

from collections.abc import Collection, Sequence

from gpt4rec_es.errors import UsageError
from gpt4rec_es.ranking.outcome import Merge, Pick, QueryHits, Removed, ShortReason
from gpt4rec_es.ranking.rules import ListFilter
from gpt4rec_es.records import SearchResult, Source


def merge_hits(
    queries: Sequence[QueryHits],
    k: int,
    bought: Collection[int] = frozenset(),
    *,
    last_title: SearchResult | None = None,
    popular: Sequence[int] = (),
    list_filter: ListFilter | None = None,
    places: int | None = None,
    keep_removed: bool = False,
) -> Merge:
    """Return the list of ``k`` items for ``queries``, which are in order of rank.

    1. Each of the m queries that have a token left after analysis takes k//m items, the first k%m
       of them one more (with m > k: the first k take one each): its best hits that are neither
       bought nor taken.
    2. Places left by queries without further hits are filled in rounds, one hit per query in order.
    3. Then the hits of ``last_title``, then ``popular``.

    list_filter: rules for this list; refused items are skipped like bought ones, and deeper hits
    take their place. places: length of the list if it is longer than k; step 2 fills it.

    If a query's hits end before it has filled its places, and the index has more, ``needs_deeper``
    names the query. Searched deeper and merged again, the final list is that of unlimited depth.
    Only queries are named whose further hits unlimited depth would use, too. A caller that cannot
    search deeper marks the result as exhausted.

    Raises:
        UsageError: k is below 1.
    """
    if k < 1:
        raise UsageError(f"k is {k}.", "Ask for at least 1 item.")
    cursors = [_Cursor(q.query_rank, q.result) for q in queries if not q.result.is_empty_query]
    size = max(places or k, k)
    builder = _ListBuilder(size, bought, list_filter, keep_removed)
    builder.take_quotas(cursors, k)
    builder.backfill(cursors)
    n_found = len(builder.picks)
    needs_last_title = False
    if last_title is not None and not builder.is_full():
        needs_last_title = builder.take_last_title(last_title)
    if builder.needs_deeper or needs_last_title:
        needed = tuple(q.query_rank for q in queries if q.query_rank in builder.needs_deeper)
        return Merge((), len(cursors), 0, None, needed, needs_last_title)
    builder.take_popular(popular)
    reason = None if n_found == size else _short_reason(queries, cursors, n_found)
    return Merge(
        tuple(builder.picks),
        len(cursors),
        n_found,
        reason,
        removed=tuple(builder.removed or ()),
        ruled_out=list_filter.removed if list_filter else {},
    )


class _Cursor:
    """Iteration state of one query's hits; ``position``: the next hit, 0-based."""

    __slots__ = ("item_nos", "position", "rank", "result")

    def __init__(self, rank: int | None, result: SearchResult) -> None:
        self.rank, self.result = rank, result
        self.item_nos, self.position = result.item_nos, 0


# As ``Pick(...)``, without a Python function call: a merge makes one per place.
_new_pick = tuple.__new__


class _ListBuilder:
    """The list under construction.

    A query that must be searched deeper counts as if it had taken unknown items. So at every later
    step at least as many places count as filled as with unlimited depth, and every item taken or
    refused here is so there too; a query whose hits run out here would also run out there.
    """

    __slots__ = (
        "bought",
        "list_filter",
        "needs_deeper",
        "picks",
        "removed",
        "size",
        "taken",
        "unknown",
    )

    def __init__(
        self, size: int, bought: Collection[int], list_filter: ListFilter | None, keep_removed: bool
    ) -> None:
        self.size, self.bought, self.list_filter = size, bought, list_filter
        self.taken = set(bought)
        self.picks: list[Pick] = []
        self.unknown = 0
        self.needs_deeper: set[int | None] = set()
        self.removed: list[Removed] | None = [] if keep_removed else None

    def is_full(self) -> bool:
        """Return whether all places are filled, counting unknown items."""
        return len(self.picks) + self.unknown >= self.size

    def take_quotas(self, cursors: Sequence[_Cursor], k: int) -> None:
        """Take the quota of k/m hits of each query."""
        if not cursors:
            return
        base, extra = divmod(k, len(cursors))
        for place, cursor in enumerate(cursors):
            missing = self._take(cursor, base + (place < extra), Source.QUERIES)
            if missing and not cursor.result.exhausted:
                self.needs_deeper.add(cursor.rank)
                self.unknown += missing

    def backfill(self, cursors: Sequence[_Cursor]) -> None:
        """Fill remaining places in rounds of one hit per query, until no query has further hits."""
        live = list(cursors)
        while live and not self.is_full():
            still_live = []
            for cursor in live:
                if self.is_full():
                    return
                missing = self._take(cursor, 1, Source.BACKFILL)
                if missing and cursor.result.exhausted:
                    continue
                if missing:
                    self.needs_deeper.add(cursor.rank)
                    self.unknown += 1
                still_live.append(cursor)
            live = still_live

    def take_last_title(self, result: SearchResult) -> bool:
        """Fill places from the newest title's hits; return whether these ended too early."""
        missing = self._take(_Cursor(None, result), self.size - len(self.picks), Source.LAST_TITLE)
        return bool(missing) and not result.exhausted

    def take_popular(self, item_nos: Sequence[int]) -> None:
        """Fill remaining places from popular items."""
        for item_no in item_nos:
            if self.is_full():
                return
            if item_no not in self.taken and not self._is_refused(item_no):
                self._add(item_no)
                self.picks.append(Pick(item_no, Source.POPULAR))

    def _take(self, cursor: _Cursor, wanted: int, source: Source) -> int:
        """Take up to ``wanted`` next allowed hits of ``cursor``; return the number missing."""
        item_nos, position, rank = cursor.item_nos, cursor.position, cursor.rank
        taken, scores, list_filter = self.taken, cursor.result.scores, self.list_filter
        end = len(item_nos)
        while wanted and position < end:
            item_no = item_nos[position]
            position += 1
            if item_no not in taken and not (list_filter and list_filter.refuses(item_no)):
                self._add(item_no)
                score = scores[position - 1]
                fields = (item_no, source, rank, position, score, None, None, None, None)
                self.picks.append(_new_pick(Pick, fields))
                wanted -= 1
            elif self.removed is not None:
                self.removed.append(Removed(rank, position, item_no, self._reason(item_no)))
        cursor.position = position
        return wanted

    def _is_refused(self, item_no: int) -> bool:
        return self.list_filter is not None and self.list_filter.refuses(item_no)

    def _add(self, item_no: int) -> None:
        self.taken.add(item_no)
        if self.list_filter is not None:
            self.list_filter.take(item_no)

    def _reason(self, item_no: int) -> str:
        if item_no in self.bought:
            return "bought"
        if self.list_filter is not None and item_no in self.list_filter.removed:
            return self.list_filter.removed[item_no]
        return "already taken"


def _short_reason(
    queries: Sequence[QueryHits], cursors: Sequence[_Cursor], n_found: int
) -> ShortReason:
    """Return why generated queries found fewer than k items, the simplest reason first."""
    if not queries:
        return "no_queries"
    if not cursors:
        return "empty_queries"
    if not any(cursor.item_nos for cursor in cursors):
        return "no_hits"
    return "exhausted_queries" if n_found else "all_bought"
