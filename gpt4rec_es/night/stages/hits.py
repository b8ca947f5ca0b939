"""The hits that a merge works on, fetched as deep as it asks for, each search recorded.

A text is searched in two roles: as a generated query by the run's search options, as a title that
somebody bought without any, because nearly nothing has most of a whole title's terms.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Protocol, TypeAlias

from sqlalchemy import Engine

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import NO_OPTIONS, load_queries, load_searches, store_searches
from gpt4rec_es.night.inputs.rules import search_options_of
from gpt4rec_es.options.lists import ANY_TERM, Fusion
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.records import SearchResult

# A list of k looks at hits taken by its other queries, k at most, and at those bought: further ones
# are seldom asked for, and reading all of them took a quarter of a merge.
_SPARE_HITS = 10
# Number of a query, and of the options it is searched by.
SearchKey: TypeAlias = tuple[int, int]


class HitSource(Protocol):
    """Where a merge gets hits from: a run's stored searches, or searches in memory.

    A text goes by its number, in one of two roles; what a role asks for is found at a first depth,
    and deeper for single texts until there are no more hits.
    """

    def query_key(self, query_no: int) -> SearchKey:
        """Return what is asked by a generated query."""

    def title_key(self, query_no: int) -> SearchKey:
        """Return what is asked by a title of a purchase."""

    def of_query(self, query_no: int) -> SearchResult | None:
        """Return what is known of a generated query; None: not searched for."""

    def of_title(self, query_no: int) -> SearchResult | None:
        """Return what is known of a title; None: not searched for."""

    def load_first(self, asked: Collection[SearchKey]) -> None:
        """Make known at the first depth what an earlier stage found, or all there is."""

    def fetch(self, asked: Collection[SearchKey]) -> None:
        """Make known at the first depth what is not known."""

    def deepen(self, asked: Collection[SearchKey]) -> None:
        """Make known more hits of these, which are known."""


class RunHits:
    """Search results of one run by what was asked, at the depth reached so far.

    A search that is not stored yet at the depth asked for is made and stored under its key at
    once: it is worth keeping whatever becomes of the shard. ``searched`` counts these.
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

        keep False: it does not search the run's build, so no stored search is used and none stored.
        is_new: no search stage has gone before.
        """
        self._engine, self._run, self._retriever = engine, run, retriever
        self._stored, self._makes_first = keep, is_new or not keep
        self._options = {
            run.search_options_no: search_options_of(run.manifest),
            NO_OPTIONS: ANY_TERM,
        }
        self._ladder: list[int] = run.manifest["depth_ladder"]
        is_plain = Fusion.from_dict(run.manifest.get("fusion")).is_plain
        self._first_hits = run.k + _SPARE_HITS if is_plain else None
        self._results: dict[SearchKey, SearchResult] = {}
        self._rung: dict[SearchKey, int] = {}
        self._cut: set[SearchKey] = set()
        self.searched = 0

    def query_key(self, query_no: int) -> SearchKey:
        """Return what is asked by a generated query."""
        return query_no, self._run.search_options_no

    def title_key(self, query_no: int) -> SearchKey:
        """Return what is asked by a title that somebody bought."""
        return query_no, NO_OPTIONS

    def of_query(self, query_no: int) -> SearchResult | None:
        """Return what is known of a generated query; None: not searched for this run."""
        return self._results.get(self.query_key(query_no))

    def of_title(self, query_no: int) -> SearchResult | None:
        """Return what is known of a bought title; None: not searched for this run."""
        return self._results.get(self.title_key(query_no))

    def load_first(self, asked: Collection[SearchKey]) -> None:
        """Load the stored searches at the manifest's depth, of long ones the beginning.

        Those missing stay unknown, as the search stage gave them up; where none went before, they
        are made.
        """
        wanted = [one for one in asked if one not in self._results]
        self._load(0, wanted, self._first_hits)
        if self._makes_first:
            self._search(0, [one for one in wanted if one not in self._results])

    def fetch(self, asked: Collection[SearchKey]) -> None:
        """Load or make searches of what is not known at the manifest's depth."""
        self.load_first(asked)
        self._search(0, [one for one in asked if one not in self._results])

    def deepen(self, asked: Collection[SearchKey]) -> None:
        """Load the rest of what was cut; go one step down the ladder for the others of these."""
        by_rung: dict[int, list[SearchKey]] = defaultdict(list)
        for one in asked:
            by_rung[self._rung[one] + (one not in self._cut)].append(one)
        for rung, several in sorted(by_rung.items()):
            loaded = self._load(rung, several)
            self._search(rung, [one for one in several if one not in loaded])

    def _load(
        self, rung: int, asked: Iterable[SearchKey], most: int | None = None
    ) -> set[SearchKey]:
        """Load the stored searches at one depth, up to ``most`` hits; return those there were."""
        loaded: set[SearchKey] = set()
        if not self._stored:
            return loaded
        for options_no, query_nos in _by_options(asked):
            loaded |= self._load_by(options_no, rung, query_nos, most)
        return loaded

    def _load_by(
        self, options_no: int, rung: int, query_nos: list[int], most: int | None
    ) -> set[SearchKey]:
        build_no, depth = self._run.build_no, self._ladder[rung]
        found = retrying(
            self._engine, lambda c: load_searches(c, build_no, depth, query_nos, options_no, most)
        )
        for number, result in found.items():
            is_cut = most is not None and most < depth and not result.exhausted
            self._keep((number, options_no), rung, result, is_cut=is_cut)
        return {(number, options_no) for number in found}

    def _search(self, rung: int, asked: Iterable[SearchKey]) -> None:
        for options_no, query_nos in _by_options(asked):
            self._search_by(options_no, rung, query_nos)

    def _search_by(self, options_no: int, rung: int, query_nos: list[int]) -> None:
        depth = self._ladder[rung]
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
            self._keep((number, options_no), rung, result)

    def _keep(
        self, asked: SearchKey, rung: int, result: SearchResult, *, is_cut: bool = False
    ) -> None:
        self._cut.discard(asked)
        if is_cut:
            self._cut.add(asked)
        elif rung == len(self._ladder) - 1:
            # No search goes deeper than the ladder: its end is the end.
            result = replace(result, exhausted=True)
        self._results[asked] = result
        self._rung[asked] = rung


def _by_options(asked: Iterable[SearchKey]) -> Iterator[tuple[int, list[int]]]:
    """Yield the numbers of options, each with the queries that are asked by them, in order."""
    found: dict[int, list[int]] = defaultdict(list)
    for query_no, options_no in asked:
        found[options_no].append(query_no)
    for options_no, query_nos in sorted(found.items()):
        yield options_no, sorted(query_nos)
