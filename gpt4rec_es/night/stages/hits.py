"""Hits for a merge, fetched to the depth it requests; each search is stored.

A text is searched in two roles: as a generated query with the run's search options, and as a bought
title without options, because hardly any item has most terms of a whole title. By vectors, both
roles share one search, no deeper than its hits count.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Protocol, TypeAlias

from sqlalchemy import Engine

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import NO_OPTIONS, load_queries, load_searches, store_searches
from gpt4rec_es.night.inputs.near import near_options_no, near_options_of, near_step
from gpt4rec_es.night.inputs.rules import search_options_of
from gpt4rec_es.options.lists import ANY_TERM, Fusion
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.records import SearchResult

# Hits read per query at first: a list of k needs at most k hits taken by other queries, plus bought
# items. Reading all stored hits took a quarter of a merge.
SPARE_HITS = 10
# (query number, options number of its search)
SearchKey: TypeAlias = tuple[int, int]


class HitSource(Protocol):
    """Source of hits for a merge: a run's stored searches, or searches in memory.

    A text is identified by its number and its role (query or title). It is searched at the first
    depth, and single texts deeper until there are no more hits.
    """

    def query_key(self, query_no: int) -> SearchKey:
        """Return the search key of a generated query."""

    def title_key(self, query_no: int) -> SearchKey:
        """Return the search key of a bought title."""

    def of_query(self, query_no: int) -> SearchResult | None:
        """Return the loaded result of a generated query; None: not searched."""

    def of_title(self, query_no: int) -> SearchResult | None:
        """Return the loaded result of a bought title; None: not searched."""

    def near(self, query_no: int) -> SearchResult | None:
        """Return the loaded result of a text by vectors; None: not searched."""

    def load_first(self, asked: Collection[SearchKey]) -> None:
        """Load the results of an earlier stage at the first depth, or all results."""

    def load_near(self, query_nos: Collection[int]) -> None:
        """Load the results by vectors of these texts, as deep as they count."""

    def fetch(self, asked: Collection[SearchKey]) -> None:
        """Load or search missing results at the first depth."""

    def fetch_deeper(self, asked: Collection[SearchKey]) -> None:
        """Load or search more hits of these keys, which have results."""


class RunHits:
    """Search results of one run by search key, at the depth reached so far.

    A search that is not stored at the requested depth is made and stored at once, in its own
    transaction, so that it stays if the shard fails. ``searched`` counts these.
    """

    def __init__(
        self,
        engine: Engine,
        run: Run,
        retriever: Retriever,
        *,
        keep: bool = True,
        is_new: bool = False,
    ) -> None:
        """Search for ``run`` by ``retriever``.

        keep False: ``retriever`` searches another build, so searches are neither loaded nor stored.
        is_new: no search stage was run before.
        """
        self._engine, self._run, self._retriever = engine, run, retriever
        self._stored, self._makes_first = keep, is_new or not keep
        self._options = {
            run.search_options_no: search_options_of(run.manifest),
            NO_OPTIONS: ANY_TERM,
        }
        self._near_no, self._near_step = near_options_no(run.manifest), near_step(run.manifest)
        if self._near_no is not None:
            self._options[self._near_no] = near_options_of(run.manifest)
        self._depths: list[int] = run.manifest["depth_ladder"]
        is_plain = Fusion.from_dict(run.manifest.get("fusion")).is_plain
        self._first_hits = run.k + SPARE_HITS if is_plain else None
        self._results: dict[SearchKey, SearchResult] = {}
        self._depth_step: dict[SearchKey, int] = {}
        self._cut: set[SearchKey] = set()
        self.searched = 0

    def query_key(self, query_no: int) -> SearchKey:
        """Return the search key of a generated query."""
        return query_no, self._run.search_options_no

    def title_key(self, query_no: int) -> SearchKey:
        """Return the search key of a bought title."""
        return query_no, NO_OPTIONS

    def of_query(self, query_no: int) -> SearchResult | None:
        """Return the loaded result of a generated query; None: not searched for this run."""
        return self._results.get(self.query_key(query_no))

    def of_title(self, query_no: int) -> SearchResult | None:
        """Return the loaded result of a bought title; None: not searched for this run."""
        return self._results.get(self.title_key(query_no))

    def near(self, query_no: int) -> SearchResult | None:
        """Return the loaded result of a text by vectors; None: not searched for this run."""
        return None if self._near_no is None else self._results.get((query_no, self._near_no))

    def load_near(self, query_nos: Collection[int]) -> None:
        """Load the stored searches by vectors; as in ``load_first``, some may be missing."""
        if self._near_no is None:
            return
        keys = [(number, self._near_no) for number in query_nos]
        wanted = [one for one in keys if one not in self._results]
        self._load(self._near_step, wanted)
        if self._makes_first:
            self._search(self._near_step, [one for one in wanted if one not in self._results])

    def load_first(self, asked: Collection[SearchKey]) -> None:
        """Load the stored searches at the manifest's depth, long ones only in part.

        Missing ones have no result, because the search stage gave them up; without a search stage
        before, they are searched.
        """
        wanted = [one for one in asked if one not in self._results]
        self._load(0, wanted, self._first_hits)
        if self._makes_first:
            self._search(0, [one for one in wanted if one not in self._results])

    def fetch(self, asked: Collection[SearchKey]) -> None:
        """Load or search missing results at the manifest's depth."""
        self.load_first(asked)
        self._search(0, [one for one in asked if one not in self._results])

    def fetch_deeper(self, asked: Collection[SearchKey]) -> None:
        """Load the rest of partly loaded results; search the others at the next depth."""
        by_step: dict[int, list[SearchKey]] = defaultdict(list)
        for one in asked:
            by_step[self._depth_step[one] + (one not in self._cut)].append(one)
        for depth_step, several in sorted(by_step.items()):
            loaded = self._load(depth_step, several)
            self._search(depth_step, [one for one in several if one not in loaded])

    def _load(
        self, depth_step: int, asked: Iterable[SearchKey], most: int | None = None
    ) -> set[SearchKey]:
        """Load the stored searches at one depth, up to ``most`` hits; return the keys found."""
        loaded: set[SearchKey] = set()
        if not self._stored:
            return loaded
        for options_no, query_nos in _by_options(asked):
            loaded |= self._load_by(options_no, depth_step, query_nos, most)
        return loaded

    def _load_by(
        self, options_no: int, depth_step: int, query_nos: list[int], most: int | None
    ) -> set[SearchKey]:
        build_no, depth = self._run.build_no, self._depths[depth_step]
        found = retrying(
            self._engine, lambda c: load_searches(c, build_no, depth, query_nos, options_no, most)
        )
        for number, result in found.items():
            is_cut = most is not None and most < depth and not result.exhausted
            self._keep((number, options_no), depth_step, result, is_cut=is_cut)
        return {(number, options_no) for number in found}

    def _search(self, depth_step: int, asked: Iterable[SearchKey]) -> None:
        for options_no, query_nos in _by_options(asked):
            self._search_by(options_no, depth_step, query_nos)

    def _search_by(self, options_no: int, depth_step: int, query_nos: list[int]) -> None:
        depth = self._depths[depth_step]
        texts = retrying(self._engine, lambda c: load_queries(c, query_nos))
        results = self._retriever.search(texts, depth, self._options[options_no])
        pairs = list(zip(query_nos, results, strict=True))
        if self._stored:
            retrying(
                self._engine,
                lambda c: store_searches(c, self._run.build_no, depth, pairs, options_no),
            )
        self.searched += len(pairs)
        for number, result in pairs:
            self._keep((number, options_no), depth_step, result)

    def _keep(
        self, asked: SearchKey, depth_step: int, result: SearchResult, *, is_cut: bool = False
    ) -> None:
        self._cut.discard(asked)
        if is_cut:
            self._cut.add(asked)
        elif depth_step == len(self._depths) - 1:
            # The last depth of the ladder is the maximum, so its result counts as exhausted.
            result = replace(result, exhausted=True)
        self._results[asked] = result
        self._depth_step[asked] = depth_step


def _by_options(asked: Iterable[SearchKey]) -> Iterator[tuple[int, list[int]]]:
    """Yield each options number with its queries, in order."""
    found: dict[int, list[int]] = defaultdict(list)
    for query_no, options_no in asked:
        found[options_no].append(query_no)
    for options_no, query_nos in sorted(found.items()):
        yield options_no, sorted(query_nos)
