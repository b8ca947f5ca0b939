"""Inputs of nights whose queries are chosen among titles: which titles, and what is still valid."""

import datetime as dt
import logging
from typing import NamedTuple

from elasticsearch import Elasticsearch
from sqlalchemy import Connection

from gpt4rec_es.db.rows.health import clock
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import decoding_number
from gpt4rec_es.db.rows.title_generations import copy_valid, load_active_titles
from gpt4rec_es.elastic.scan import stream_documents
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.prompts.catalog_titles import catalog_titles, generation_settings
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.protocols import ChoosingGenerator, QueryGenerator
from gpt4rec_es.records import CatalogTitles, Decoding

log = logging.getLogger(__name__)

# Newer titles may be better ones for a user whose history does not change.
_RENEWED_AFTER = dt.timedelta(days=30)


class Choice(NamedTuple):
    """The hash of the titles that a night chooses among, and the generator that does."""

    titles_hash: str
    generator: ChoosingGenerator


def choose_titles(
    connection: Connection, decoding: Decoding, generator: QueryGenerator | None
) -> Choice | None:
    """Return the titles to choose; None: the decoding writes freely, or there is no generator.

    Raises:
        UsageError: the generator cannot choose, or there is no title.
    """
    if generator is None or decoding.mode != "titles":
        return None
    titles = catalog_titles(load_active_titles(connection))
    return Choice(titles.content_hash, generator.choosing(titles))


def number_decoding(connection: Connection, decoding: Decoding, choice: Choice | None) -> int:
    """Return the number under which generations are stored."""
    settings = generation_settings(
        decoding,
        choice and choice.titles_hash,
        reads_vectors=choice is not None and choice.generator.reads_vectors,
    )
    return decoding_number(connection, hash128(settings), settings)


def keep_valid(connection: Connection, run: Run, choice: Choice | None) -> None:
    """Copy generations of other nights whose titles can all be found to the key of ``run``.

    Those of more than 30 days ago are made anew, as are all that were written freely.
    """
    if choice is None:
        return
    decoding = Decoding(**run.manifest["decoding"])
    hashes = map(hash128, choice.generator.title_texts(decoding.max_new_tokens))
    oldest = clock(connection) - _RENEWED_AFTER
    key = (run.content_hash, run.decoding_no)
    n_kept = copy_valid(connection, run.run_no, *key, hashes, oldest)
    log.info("generations of other catalogs are still valid", extra={"generations": n_kept})


def titles_of_run(elastic: Elasticsearch, run: Run) -> CatalogTitles:
    """Return the titles of the run's build, whatever was imported since it was planned.

    Raises:
        ConflictError: they differ from those that the run was planned with.
        DependencyError: Elasticsearch cannot answer.
    """
    documents = stream_documents(elastic, run.index_name)
    titles = catalog_titles(found.title for found in documents if found.is_active)
    if titles.content_hash != run.manifest["titles"]:
        raise ConflictError(
            f"The titles of index {run.index_name} are not those that {run.run_id} was planned "
            "with.",
            "Run `gpt4rec reindex`, then `gpt4rec night --supersede` to plan a new run.",
        )
    return titles
