"""Implementations of beam search by name; all find the same hypotheses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation import beam
from gpt4rec_es.generation.beam_search import linears, loop


@dataclass(frozen=True)
class BeamSearch:
    """An implementation of beam search.

    search: as beam.search_beams. prepare: called once with a network; returns the network to use.
    token_budgets: by kind of device, the default number of token places (see gpt2.py) per batch.
    """

    search: beam.SearchBeams
    prepare: Callable[[Any], Any]
    token_budgets: Mapping[str, int]


def open_beam_search(name: str) -> BeamSearch:
    """Return the beam search called ``name``.

    "shared" is the project's own, "reference" the transformers library's, many times slower.

    Raises:
        UsageError: there is no beam search of that name.
    """
    beam_searches = {
        # On a CPU larger batches are not faster. A GPU needs hundreds of prompts: about 400 prompts
        # of 200 tokens with 20 beams take 15 GB for GPT-2 in fp32; a batch that does not fit is
        # halved.
        "shared": BeamSearch(loop.search_beams, linears.tune, {"cpu": 65_536, "cuda": 2_000_000}),
        # Its cache has an entry per place and beam: 74 kB each for GPT-2 in fp32, at times twice.
        "reference": BeamSearch(
            beam.search_beams, lambda network: network, {"cpu": 32_768, "cuda": 131_072}
        ),
    }
    if name not in beam_searches:
        raise UsageError(
            f"There is no beam search {name!r}.", f"There are: {', '.join(beam_searches)}."
        )
    return beam_searches[name]
