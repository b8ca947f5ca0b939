"""The hits that a merge works on, fetched as deep as it asks for, each search recorded."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace

from sqlalchemy import Engine

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.runs import Run
from gpt4rec_es.db.texts import load_queries, load_searches, store_searches
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.records import SearchResult


class Hits:
    """Search results of one run by query number, at the depth reached so far.

    A search that is not stored yet at the depth asked for is made and stored under its key at
    once: it is worth keeping whatever becomes of the shard. ``searched`` counts these.
    """

    def __init__(
        self, engine: Engine, run: Run, retriever: Retriever, *, keep: bool = True
    ) -> None:
        """Search for ``run`` by ``retriever``.

        keep False: it does not search the run's build, so no stored search is used and none stored.
        """
        self._engine, self._run, self._retriever = engine, run, retriever
        self._stored = keep
        self._ladder: list[int] = run.manifest["depth_ladder"]
        self._results: dict[int, SearchResult] = {}
        self._rung: dict[int, int] = {}
        self.searched = 0

    def get(self, query_no: int) -> SearchResult | None:
        """Return what is known of a query; None: not searched for this run."""
        return self._results.get(query_no)

    def load_first(self, query_nos: Iterable[int]) -> None:
        """Load the stored searches at the manifest's depth; those missing stay unknown.

        Where no stored search can be used, all are made.
        """
        numbers = [number for number in query_nos if number not in self._results]
        if self._stored:
            self._load(0, numbers)
        else:
            self._search(0, numbers)

    def fetch(self, query_nos: Collection[int]) -> None:
        """Load or make searches of queries that are not known at the manifest's depth."""
        self.load_first(query_nos)
        self._search(0, [n for n in query_nos if n not in self._results])

    def deepen(self, query_nos: Iterable[int]) -> None:
        """Go one step down the ladder for each of these queries."""
        by_rung: dict[int, list[int]] = defaultdict(list)
        for number in query_nos:
            by_rung[self._rung[number] + 1].append(number)
        for rung, numbers in sorted(by_rung.items()):
            loaded = self._load(rung, numbers)
            self._search(rung, [n for n in numbers if n not in loaded])

    def _load(self, rung: int, query_nos: list[int]) -> dict[int, SearchResult]:
        """Load the stored searches at one depth; return those there were."""
        if not self._stored:
            return {}
        depth = self._ladder[rung]
        loaded = retrying(
            self._engine, lambda c: load_searches(c, self._run.build_no, depth, query_nos)
        )
        for number, result in loaded.items():
            self._keep(number, rung, result)
        return loaded

    def _search(self, rung: int, query_nos: list[int]) -> None:
        if not query_nos:
            return
        query_nos = sorted(query_nos)
        depth = self._ladder[rung]
        texts = retrying(self._engine, lambda c: load_queries(c, query_nos))
        results = self._retriever.search(texts, depth)
        pairs = list(zip(query_nos, results, strict=True))
        if self._stored:
            retrying(self._engine, lambda c: store_searches(c, self._run.build_no, depth, pairs))
        self.searched += len(pairs)
        for number, result in pairs:
            self._keep(number, rung, result)

    def _keep(self, query_no: int, rung: int, result: SearchResult) -> None:
        if rung == len(self._ladder) - 1:
            # No search goes deeper than the ladder: its end is the end.
            result = replace(result, exhausted=True)
        self._results[query_no] = result
        self._rung[query_no] = rung
