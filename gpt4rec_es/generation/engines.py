"""Which implementations of beam search there are, by name; all find the same hypotheses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation import beam
from gpt4rec_es.generation.engine import linears, loop


@dataclass(frozen=True)
class Engine:
    """search: as beam.search_beams. prepare: called once with a network, returns the one to use."""

    search: beam.SearchBeams
    prepare: Callable[[Any], Any]


def open_engine(name: str) -> Engine:
    """Return the engine called ``name``.

    "shared" is the project's own, "reference" the transformers library's, many times slower.

    Raises:
        UsageError: there is none of that name.
    """
    engines = {
        "shared": Engine(loop.search_beams, linears.tune),
        "reference": Engine(beam.search_beams, lambda network: network),
    }
    if name not in engines:
        raise UsageError(
            f"There is no generation engine {name!r}.", f"There are: {', '.join(engines)}."
        )
    return engines[name]
