"""Lists of an evaluation: the night's merge over hits that are searched in this process.

A list for K = 5 is no prefix of the list for K = 40, so each length is merged separately, from
shared searches.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gpt4rec_es.db.rows.lists import UserInput
from gpt4rec_es.lab.bm25.hits import MemoryHits
from gpt4rec_es.lab.bm25.retriever import MemoryGridSearch
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.evaluation.sources import ListSources
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.metrics.lists import NOTHING, Lists
from gpt4rec_es.night.stages.hits import SPARE_HITS, HitSource
from gpt4rec_es.night.stages.merge import MergedUsers
from gpt4rec_es.night.stages.merge_inputs import MergeInputs
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.promotions import NO_PROMOTIONS
from gpt4rec_es.records import Bm25

# (list length, number of best queries used)
Cell = tuple[int, int]
# Hits in memory at once: 256 MB.
_HITS = 1 << 25
# Users merged at once; progress is reported after each group.
_USERS = 500


def merge_lists(
    catalog: EvaluationCatalog,
    queries: Sequence[Sequence[str]],
    histories: Sequence[Sequence[int]],
    cells: Sequence[Cell],
    progress: Progress = no_progress,
    *,
    sources: ListSources | None = None,
    options: SearchOptions = ANY_TERM,
    removed: Collection[str] = frozenset(),
    likelihoods: Sequence[Sequence[float]] | None = None,
) -> dict[Cell, Lists]:
    """Return the lists of every cell, users in order; progress counts users.

    queries: per user, best first; likelihoods: of each, see ``GeneratedQuery``; None: unknown.
    options: their search options. sources: None: lists contain only
    hits of the queries. removed: queries removed by filters; their ranks stay empty.
    """
    found = {cell: np.full((len(queries), cell[0]), NOTHING, np.int64) for cell in cells}
    grid = GridMerge(
        catalog.search(options), catalog.search(), [catalog.bm25], sources or ListSources()
    )
    most = max(m for _, m in cells)
    used = [own[:most] for own in queries]
    for users, _, lists in grid.merge(
        used, histories, cells, removed=removed, likelihoods=likelihoods
    ):
        for cell, items in lists.items():
            for user, own in zip(users, items, strict=True):
                found[cell][user, : len(own)] = own
        progress(users[-1] + 1, len(queries))
    progress(len(queries), len(queries))
    return found


class GridMerge:
    """Merges lists at many points (k1, b) from shared searches; see ``merge_lists``."""

    def __init__(
        self,
        queries: MemoryGridSearch,
        titles: MemoryGridSearch,
        points: Sequence[Bm25],
        sources: ListSources,
    ) -> None:
        """Set the searches of generated queries and of bought titles."""
        self._queries, self._titles = queries, titles
        self._points, self._sources = points, sources

    def merge(
        self,
        queries: Sequence[Sequence[str]],
        histories: Sequence[Sequence[int]],
        cells: Sequence[Cell],
        *,
        removed: Collection[str] = frozenset(),
        likelihoods: Sequence[Sequence[float]] | None = None,
    ) -> Iterator[tuple[Sequence[int], int, dict[Cell, list[list[int]]]]]:
        """Yield (user indices, point index, lists by cell), for a group of users at a time."""
        longest = max(k for k, _ in cells)
        for some, hits, merge_inputs in self.groups(
            queries, histories, longest, removed=removed, likelihoods=likelihoods
        ):
            users = [user.user_no for user in some]
            for point in range(len(self._points)):
                yield users, point, dict(_lists(some, hits.at(point), merge_inputs, cells))

    def groups(
        self,
        queries: Sequence[Sequence[str]],
        histories: Sequence[Sequence[int]],
        longest: int,
        *,
        removed: Collection[str] = frozenset(),
        likelihoods: Sequence[Sequence[float]] | None = None,
    ) -> Iterator[tuple[list[UserInput], MemoryHits, MergeInputs]]:
        """Yield groups of users with their hits and merge inputs, for lists of ``longest`` items.

        A user's number is the index in ``queries``.
        """
        fusion = self._sources.fusion
        looked_at = longest if fusion.is_plain else max(longest, fusion.candidates)
        depth = looked_at + SPARE_HITS
        room = _HITS // (depth * len(self._points))
        for numbers, inputs in self._numbered(queries, histories, removed, room):
            hits = MemoryHits(
                list(numbers),
                self._points,
                depth,
                queries=self._queries,
                titles=self._titles,
                nearest=self._sources.nearest,
            )
            for first in range(0, len(inputs), _USERS):
                some = inputs[first : first + _USERS]
                if likelihoods is not None:
                    some = [replace(u, likelihoods=tuple(likelihoods[u.user_no])) for u in some]
                yield some, hits, self._merge_inputs(some, histories, numbers, longest)

    def _numbered(
        self,
        queries: Sequence[Sequence[str]],
        histories: Sequence[Sequence[int]],
        removed: Collection[str],
        room: int,
    ) -> Iterator[tuple[Mapping[str, int], list[UserInput]]]:
        """Yield text numbers with the users that need them: about ``room`` texts at a time."""
        numbers: dict[str, int] = {}
        users: list[UserInput] = []
        for user, (own, history) in enumerate(zip(queries, histories, strict=True)):
            titles = self._titles_of(history)
            wanted = {text: numbers.setdefault(text, len(numbers)) for text in (*own, *titles)}
            users.append(
                UserInput(
                    user,
                    None,
                    len(set(history)),
                    wanted[titles[0]] if titles else None,
                    tuple(wanted[text] for text in own),
                    frozenset(wanted[text] for text in own if text in removed),
                )
            )
            if len(numbers) >= room:
                yield numbers, users
                numbers, users = {}, []
        if users:
            yield numbers, users

    def _titles_of(self, history: Sequence[int]) -> list[str]:
        """Return the bought titles of a user that are searched for, newest first."""
        titles = self._sources.titles
        if not titles:
            return []
        newest = deduplicate_keep_last(history)[::-1]
        last = next((titles[item] for item in newest if item in titles), None)
        if last is None:
            return []
        fusion = self._sources.fusion
        queried = newest[: fusion.history] if fusion.uses_titles else ()
        return [last, *(titles[item] for item in queried if item in titles)]

    def _merge_inputs(
        self,
        users: Sequence[UserInput],
        histories: Sequence[Sequence[int]],
        numbers: Mapping[str, int],
        k: int,
    ) -> MergeInputs:
        sources, fusion = self._sources, self._sources.fusion
        newest: dict[int, list[int]] = {}
        titles: dict[int, int] = {}
        if not fusion.is_plain:
            newest = {
                user.user_no: deduplicate_keep_last(histories[user.user_no])[::-1][: fusion.history]
                for user in users
            }
        if fusion.uses_titles:
            known = {item for items in newest.values() for item in items} & sources.titles.keys()
            titles = {item: numbers[sources.titles[item]] for item in known}
        return MergeInputs(
            k=k,
            fusion=fusion,
            excluded={user.user_no: frozenset(histories[user.user_no]) for user in users},
            popular=list(sources.popular),
            newest=newest,
            neighbours=sources.neighbours,
            titles=titles,
            rules=sources.rules,
            shown={},
            buyers=sources.buyers,
            vectors=sources.vectors,
            promotions=sources.rules.promotions if sources.rules else NO_PROMOTIONS,
        ).with_best_items()


def _lists(
    users: Sequence[UserInput], hits: HitSource, merge_inputs: MergeInputs, cells: Sequence[Cell]
) -> Iterator[tuple[Cell, list[list[int]]]]:
    """Yield the lists of these users by cell."""
    for m in sorted({m for _, m in cells}):
        of_m = [replace(user, query_nos=(user.query_nos or ())[:m]) for user in users]
        lengths = sorted((k for k, one in cells if one == m), reverse=True)
        for k, lists in _lists_by_length(of_m, hits, merge_inputs, lengths):
            yield (k, m), lists


def _lists_by_length(
    users: Sequence[UserInput],
    hits: HitSource,
    merge_inputs: MergeInputs,
    lengths: Sequence[int],
) -> Iterator[tuple[int, list[list[int]]]]:
    """Yield (length, lists); ``lengths`` descend.

    Unless fused by ranks, a shorter list is a prefix of the part of a longer list that sources
    filled, which saves most of the work. With pins it is not: their number depends on the length.
    """
    has_prefixes = merge_inputs.fusion.method != "ranks" and not merge_inputs.promotions.pins
    longest: list[list[int]] = []
    n_fused = [0] * len(users)
    for k in lengths:
        pending = [user for user, n in zip(users, n_fused, strict=True) if n < k]
        merged = MergedUsers(pending, hits, replace(merge_inputs, k=k), check=lambda: None)
        made = {user: [pick.item_no for pick in one.picks] for user, one in merged.merges.items()}
        shorter = longest or [[]] * len(users)
        yield (
            k,
            [made.get(user.user_no, own[:k]) for user, own in zip(users, shorter, strict=True)],
        )
        if has_prefixes and not longest:
            picks = [merged.merges[user.user_no].picks for user in users]
            longest = [[pick.item_no for pick in own] for own in picks]
            n_fused = [sum(pick.fused_score is not None for pick in own) for own in picks]
