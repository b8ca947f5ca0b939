"""Searches by vectors of a run: what its manifest says of the encoder, and their depth.

Such a search has options that name the encoder's content, so it is stored apart from those by
words.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows import encoders
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.encoders import Encoder
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.shard_plans import NearSearches
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.inputs.rules import search_options_number
from gpt4rec_es.options.lists import (
    ANY_TERM,
    HISTORY_TITLES,
    QUERY_VECTORS,
    TITLE_VECTORS,
    Fusion,
    SearchOptions,
)
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.records import SearchResult


def frozen_encoder(connection: Connection, row: Encoder, build: Build) -> dict[str, Any]:
    """Return what a manifest says of an encoder, with the number of its search options.

    Raises:
        UsageError: the build has no vectors of it.
    """
    build.require_vectors(row)
    options = SearchOptions(encoder=row.content_hash)
    return {
        "encoder_no": row.encoder_no,
        **row.as_dict(),
        "options_no": search_options_number(connection, options),
    }


def near_options_no(manifest: Mapping[str, Any]) -> int | None:
    """Return the number of the options of searches by vectors; None: there are none."""
    encoder = manifest.get("encoder")
    return None if encoder is None else int(encoder["options_no"])


def near_options_of(manifest: Mapping[str, Any]) -> SearchOptions:
    """Return the options of searches by vectors of a run that has an encoder."""
    return SearchOptions(encoder=manifest["encoder"]["content_hash"])


def near_step(manifest: Mapping[str, Any]) -> int:
    """Return the first place of the depth ladder that has all hits which count.

    No more count than candidates are kept, so these searches are never repeated deeper.
    """
    most = Fusion.from_dict(manifest.get("fusion")).candidates
    depths = manifest["depth_ladder"]
    return next((step for step, depth in enumerate(depths) if depth >= most), len(depths) - 1)


def near_searches(manifest: Mapping[str, Any]) -> NearSearches:
    """Return what a run searches by vectors."""
    fusion = Fusion.from_dict(manifest.get("fusion"))
    return NearSearches(
        near_options_no(manifest) or 0,
        int(manifest["depth_ladder"][near_step(manifest)]),
        fusion.uses(QUERY_VECTORS),
        fusion.uses(TITLE_VECTORS),
        fusion.uses(HISTORY_TITLES),
    )


def open_searches(parts: NightParts, run: Run) -> Retriever:
    """Return the retriever of a run's searches, by words and by vectors."""
    by_words = parts.open_retriever(run.index_name, run.run_id)
    if "encoder" not in run.manifest:
        return by_words
    return SeveralRetrievers(parts, run, by_words)


class SeveralRetrievers:
    """Searches by words, or by the vectors of the run's encoder if the options name it.

    The encoder is opened at the first search by it.
    """

    def __init__(self, parts: NightParts, run: Run, by_words: Retriever) -> None:
        self._parts, self._run, self._by_words = parts, run, by_words

    @cached_property
    def _by_vectors(self) -> Retriever:
        number = self._run.manifest["encoder"]["encoder_no"]
        row = retrying(self._parts.engine, lambda connection: encoders.load(connection, number))
        return self._parts.open_retriever(self._run.index_name, self._run.run_id, row)

    def search(
        self, texts: Sequence[str], depth: int, options: SearchOptions = ANY_TERM
    ) -> list[SearchResult]:
        """Return the hits of each text, see ``protocols.Retriever``."""
        retriever = self._by_words if options.encoder is None else self._by_vectors
        return retriever.search(texts, depth, options)
