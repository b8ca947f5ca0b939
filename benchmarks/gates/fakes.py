"""Generators and re-rankers with a defect, each of its own content hash, and a retriever."""

import random
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Never

import numpy as np

from gpt4rec_es.generation.title_generator import TitlesGenerator
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.ranking.vectors import Fixed, with_last
from gpt4rec_es.records import (
    CatalogTitles,
    Decoding,
    GeneratedQuery,
    Generation,
    Prompt,
    SearchResult,
)

Texts = Sequence[str]
# From a prompt, the queries of the titles generator and a chance seeded by the prompt to queries.
Rewrite = Callable[[str, list[str], random.Random], list[str]]


class Broken:
    """The titles generator whose queries of a prompt are made by a function.

    logprob: that of each query; None: the negative rank.
    """

    def __init__(self, name: str, rewrite: Rewrite, logprob: float | None = None) -> None:
        """Set the defect, named for the content hash."""
        self.content_hash = sha256(name.encode()).hexdigest()
        self._rewrite, self._logprob = rewrite, logprob
        self._titles = TitlesGenerator()
        self.prompt_form = self._titles.prompt_form

    def write_prompt(self, titles: Texts) -> Prompt | None:
        """Return the prompt of the titles generator."""
        return self._titles.write_prompt(titles)

    def choosing(self, titles: CatalogTitles) -> Never:
        """Refuse, as a generator without a model does."""
        self._titles.choosing(titles)

    def generate(self, prompts: Texts, decoding: Decoding) -> list[Generation]:
        """Return the rewritten queries."""
        made = self._titles.generate(prompts, decoding)
        return [
            self._one(prompt, one, random.Random(prompt))
            for prompt, one in zip(prompts, made, strict=True)
        ]

    def _one(self, prompt: str, made: Generation, chance: random.Random) -> Generation:
        texts = self._rewrite(prompt, [query.text for query in made.queries], chance)
        return Generation(
            tuple(
                GeneratedQuery(text, -float(rank) if self._logprob is None else self._logprob, 4)
                for rank, text in enumerate(dict.fromkeys(texts), start=1)
            ),
            40,
        )


def good_generator() -> Broken:
    """Return the generator of a shop of styles: what the user's titles begin with."""
    return Broken("good", lambda _, q, _c: [" ".join(one.split()[:2]) for one in q])


class Shifted(Broken):
    """A generator that gives each prompt of a batch the queries of the next one."""

    def __init__(self) -> None:
        """Write what the user's titles begin with, for the wrong user."""
        super().__init__("shifted", lambda _, q, _c: [" ".join(one.split()[:2]) for one in q])

    def generate(self, prompts: Texts, decoding: Decoding) -> list[Generation]:
        """Return the queries, shifted by one."""
        made = super().generate(prompts, decoding)
        return [*made[1:], *made[:1]]


class Swapped:
    """A retriever that gives each text of a batch the hits of the next one."""

    def __init__(self, retriever: Retriever) -> None:
        """Take the retriever that searches."""
        self._retriever = retriever

    def search(
        self, texts: Sequence[str], depth: int, options: SearchOptions = ANY_TERM
    ) -> list[SearchResult]:
        """Return the results, shifted by one."""
        found = self._retriever.search(texts, depth, options)
        return [*found[1:], *found[:1]]


class Vectors:
    """A re-ranker without a network: vectors of items by their number, the same by name.

    is_constant: equal vectors for all items and users.
    """

    width, history_length, reads_users = 9, 5, False

    def __init__(self, name: str, *, is_constant: bool) -> None:
        """Set whether it returns constants."""
        self.content_hash = sha256(name.encode()).hexdigest()
        self._is_constant = is_constant

    def has_vectors(self, item_ids: Sequence[str]) -> list[bool]:
        """Return whether each item has a vector: all have."""
        return [True] * len(item_ids)

    def input_hashes(self, item_ids: Sequence[str], rows: Sequence[Any]) -> list[bytes]:  # noqa: ARG002 - protocol
        """Return a hash of each title."""
        return [sha256((row.title or "").encode()).digest()[:16] for row in rows]

    def item_vectors(self, item_ids: Sequence[str], rows: Sequence[Any]) -> Fixed:  # noqa: ARG002 - protocol
        """Return a vector per item."""
        made = np.ones((len(rows), 8))
        if not self._is_constant:
            for place, row in enumerate(rows):
                seed = int.from_bytes(sha256((row.title or "").encode()).digest()[:4], "big")
                made[place] = np.random.default_rng(seed).normal(size=8)
        return with_last(made, np.zeros(len(rows)))

    def user_vectors(
        self,
        histories: Sequence[Sequence[int]],
        item_vectors: Fixed,
        attributes: Sequence[Mapping[str, Any]] | None = None,  # noqa: ARG002 - protocol
    ) -> Fixed:
        """Return the mean of the items' vectors."""
        own = [item_vectors[list(one)][:, :8].mean(0) / 1024 for one in histories]
        return with_last(np.array(own).reshape(len(own), 8), np.ones(len(own)))
