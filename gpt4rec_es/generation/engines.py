"""Which implementations of beam search there are, by name; all find the same hypotheses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.beam import SearchBeams, search_beams


@dataclass(frozen=True)
class Engine:
    """search: as beam.search_beams. prepare: called once with a network, returns the one to use."""

    search: SearchBeams
    prepare: Callable[[Any], Any]


def open_engine(name: str) -> Engine:
    """Return the engine called ``name``: "reference" is the transformers library's search.

    Raises:
        UsageError: there is none of that name.
    """
    if name != "reference":
        raise UsageError(f"There is no generation engine {name!r}.", "There is: reference.")
    return Engine(search_beams, lambda network: network)
