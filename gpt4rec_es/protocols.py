"""Protocols of exchangeable parts; each maps a batch to results in the same order.

Every generator, retriever and recommender runs the contract suite of its protocol in
tests/contracts; those that are trained on a stored split run theirs in tests/postgres.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, TypeAlias

from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.records import (
    CatalogTitles,
    Decoding,
    Generation,
    Prompt,
    PromptForm,
    SearchResult,
)

if TYPE_CHECKING:  # numpy takes longer to import than `gpt4rec --help` takes
    import numpy as np
    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[np.float32]"


class QueryGenerator(Protocol):
    """Generates the queries that a user would type next."""

    @property
    def content_hash(self) -> str:
        """Hex digest of all that decides the output besides prompt and decoding."""

    @property
    def prompt_form(self) -> PromptForm:
        """The form of its prompts."""

    def write_prompt(self, titles: Sequence[str]) -> Prompt | None:
        """Return the prompt for bought ``titles`` (oldest first), or None when there are none.

        Titles are dropped whole, oldest first, until the text fits.
        """

    def choosing(self, titles: CatalogTitles) -> "ChoosingGenerator":
        """Return this generator for decodings of mode "titles": its queries are among ``titles``.

        Raises:
            UsageError: it cannot choose.
        """

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        """Return one generation per prompt text, in order; deterministic, whatever the batches."""


class ChoosingGenerator(QueryGenerator, Protocol):
    """A generator with a probability for each title of a catalog; all add up to 1."""

    @property
    def reads_vectors(self) -> bool:
        """Whether a reader of vectors chooses, which searches no trie."""

    def title_texts(self, max_new_tokens: int) -> list[str]:
        """Return the queries that it may write, one for each title: long ones are cut."""

    def title_logprobs(self, prompts: Sequence[str], titles: Sequence[str]) -> list[float]:
        """Return the natural-log probability of each display title after its prompt text.

        Raises:
            ValueError: a title is not in the catalog.
        """


class Retriever(Protocol):
    """Finds items for query texts in one immutable index build."""

    def search(
        self, texts: Sequence[str], depth: int, options: SearchOptions = ANY_TERM
    ) -> list[SearchResult]:
        """Return the best ``depth`` active items for each text, in order, found by ``options``.

        Equal scores are ordered by item id (bytes ascending).

        Raises:
            DependencyError: a search could not be answered; it never becomes "no hits".
        """


class Encoder(Protocol):
    """Maps texts to vectors, so that texts of close meaning have vectors of close direction."""

    @property
    def content_hash(self) -> str:
        """Hex digest of all that decides a vector besides the text."""

    @property
    def dims(self) -> int:
        """Number of components of a vector."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, dims) in order: rows of length 1, or 0 for a text without a known token.

        A row depends on its text alone, up to rounding (1e-6), whatever the other texts are.
        """


class Recommender(Protocol):
    """Recommends from histories; data of other users is passed to its constructor."""

    def recommend(self, histories: Sequence[Sequence[int]], k: int) -> list[list[int]]:
        """Return at most ``k`` item numbers for each history (oldest first), best first, in order.

        A list has no duplicates and no item of the history. It may be short or empty.

        Raises:
            UsageError: ``k`` is below 1.
        """


class Progress(Protocol):
    """Callback with the progress of long work; the command line shows a progress bar."""

    def __call__(self, done: int, total: int | None) -> None:
        """Report that ``done`` of ``total`` units are finished; total None: unknown."""


def no_progress(done: int, total: int | None) -> None:
    """Ignore progress: the default for callers that show none."""


class Bars(Protocol):
    """Opens a Progress for each phase of long work; phases run one after the other."""

    def __call__(self, label: str, unit: str = "") -> AbstractContextManager[Progress]:
        """Return a context manager of the Progress of the phase ``label``, counted in ``unit``."""


def no_bars(label: str, unit: str = "") -> AbstractContextManager[Progress]:  # noqa: ARG001 - Bars
    """Show no phase: the default for callers that show none."""
    return nullcontext(no_progress)
