"""The parts one can swap, as protocols: batch in, batch out, order kept.

Every implementation runs the contract suite of its protocol in tests/contracts.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.records import Decoding, Generation, Prompt, PromptForm, SearchResult


class QueryGenerator(Protocol):
    """Writes the queries a user would type next."""

    @property
    def content_hash(self) -> str:
        """Hex digest of everything its output depends on besides prompt and decoding."""

    @property
    def prompt_form(self) -> PromptForm:
        """How its prompts are written."""

    def write_prompt(self, titles: Sequence[str]) -> Prompt | None:
        """Return the prompt for bought ``titles`` (oldest first), or None when there are none.

        Titles are dropped whole, oldest first, until the text fits.
        """

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        """Return one generation per prompt text, in order; deterministic, whatever the batch."""


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


class Recommender(Protocol):
    """Recommends from histories alone; what it knows of other users it was given when made."""

    def recommend(self, histories: Sequence[Sequence[int]], k: int) -> list[list[int]]:
        """Return at most ``k`` item numbers for each history (oldest first), best first, in order.

        No item comes twice, and none that is in the history. A list may be short or empty.

        Raises:
            UsageError: ``k`` is below 1.
        """


class Progress(Protocol):
    """Told how far long work has come; the command line draws a bar from it."""

    def __call__(self, done: int, total: int | None) -> None:
        """``done`` of ``total`` units are finished; total None: not known."""


def no_progress(done: int, total: int | None) -> None:
    """Ignore progress: the default for callers that show none."""


class Bars(Protocol):
    """Opens a Progress for one phase of work that has several; phases come one after the other."""

    def __call__(self, label: str, unit: str = "") -> AbstractContextManager[Progress]:
        """Return a context in which the phase ``label`` tells how many ``unit`` are done."""


def no_bars(label: str, unit: str = "") -> AbstractContextManager[Progress]:  # noqa: ARG001 - Bars
    """Show no phase: the default for callers that show none."""
    return nullcontext(no_progress)
