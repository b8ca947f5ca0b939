"""Sources of a replay for which the night stored no matching rows."""

from collections.abc import Sequence
from dataclasses import replace

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import disable_statement_timeout, transaction
from gpt4rec_es.db.rows import builds, encoders
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.cohort import has_titles
from gpt4rec_es.db.rows.filters import load_filters
from gpt4rec_es.db.rows.history import data_versions
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.elastic.index_fields import require_fields
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.lab.bm25.build import memory_retriever
from gpt4rec_es.lab.replay.recipe_changes import bm25_of, fusion_of
from gpt4rec_es.night.inputs.co_purchases import ensure_co_purchases
from gpt4rec_es.night.inputs.cohort import freeze_titles
from gpt4rec_es.night.inputs.near import frozen_encoder, near_options_no, near_step, open_searches
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.inputs.rules import search_options_number, search_options_of
from gpt4rec_es.options.lists import (
    ANY_TERM,
    HISTORY_TITLES,
    QUERY_VECTORS,
    TITLE_VECTORS,
    SearchOptions,
)
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.records import SearchResult
from gpt4rec_es.retrieval.query_filters import title_test


class LazyRetriever:
    """Opens a retriever at the first search; usually all hits are stored and none is needed."""

    def __init__(self, parts: NightParts, build: Build, run: Run, is_same_build: bool) -> None:
        self._parts, self._build, self._run = parts, build, run
        self._is_same_build = is_same_build
        self._opened: dict[str | None, Retriever] = {}
        self._index_name, self._has_fields = "", False

    def search(
        self, texts: Sequence[str], depth: int, options: SearchOptions = ANY_TERM
    ) -> list[SearchResult]:
        """Search with the settings of the changed run."""
        if options.encoder not in self._opened:
            self._opened[options.encoder] = self._open(by_vectors=options.encoder is not None)
        if options.fields and options.encoder is None and not self._has_fields:
            way_out = "Search without it, or replay a night after `gpt4rec reindex`."
            require_fields(self._parts.elastic, self._index_name, dict(options.fields), way_out)
            self._has_fields = True
        return self._opened[options.encoder].search(texts, depth, options)

    def _open(self, *, by_vectors: bool) -> Retriever:
        with transaction(self._parts.engine) as connection:
            same = builds.same_content(connection, self._build)
        if not same:
            raise ConflictError(
                f"The catalog that {self._run.run_id} searched is gone from Elasticsearch "
                f"(index {self._build.index_name}).",
                "What the night stored can be merged again, but nothing new be searched.",
            )
        if by_vectors:  # these do not depend on k1 and b
            index = replace(self._run, index_name=same[0].index_name)
            return open_searches(self._parts, index)
        self._index_name = same[0].index_name
        if self._is_same_build and same[0].build_no == self._build.build_no:
            return self._parts.open_retriever(self._build.index_name, self._run.run_id)
        bm25 = bm25_of(self._run.manifest)
        return memory_retriever(self._parts.elastic, same[0].index_name, bm25)


def with_search_options(parts: NightParts, run: Run, changed: Run) -> Run:
    """Return ``changed`` with the number of its search options, stored if new."""
    options = search_options_of(changed.manifest)
    if options == search_options_of(run.manifest):
        return changed
    with transaction(parts.engine) as connection:
        return replace(changed, search_options_no=search_options_number(connection, options))


def with_encoder(parts: NightParts, run: Run, build: Build, changed: Run) -> Run:
    """Return ``changed`` with what its manifest says of an encoder that its recipe names.

    That is the one which has the name now; of equal content it is that of the night.

    Raises:
        UsageError: it names none although it searches by vectors, there is none of the name, or the
            night's build has no vectors of it.
    """
    if not fusion_of(changed.manifest).uses_vectors:
        return changed
    encoder = changed.manifest.get("encoder")
    if encoder is None:
        raise UsageError(
            f"{changed.run_id} has no encoder, so nothing is searched by vectors.",
            "Replay by a recipe that names one (--recipe).",
        )
    if "options_no" in encoder:
        return changed
    with transaction(parts.engine) as connection:
        row = encoders.get(connection, encoder["name"])
        of_run = run.manifest.get("encoder")
        is_same = of_run is not None and of_run["content_hash"] == row.content_hash
        frozen = of_run if is_same else frozen_encoder(connection, row, build)
    return replace(changed, manifest=changed.manifest | {"encoder": frozen})


def has_new_searches(run: Run, changed: Run) -> bool:
    """Return whether ``changed`` needs searches that no stage of the night made."""
    then, now = fusion_of(run.manifest), fusion_of(changed.manifest)
    sources = (HISTORY_TITLES, TITLE_VECTORS, QUERY_VECTORS)
    if any(now.uses(name) and not then.uses(name) for name in sources):
        return True
    if now.uses_vectors and _near_of(run) != _near_of(changed):
        return True
    options = [(one.search_options_no, one.filters_no) for one in (run, changed)]
    return options[0] != options[1]


def _near_of(run: Run) -> tuple[int | None, int]:
    return near_options_no(run.manifest), near_step(run.manifest)


def with_co_purchases(parts: NightParts, run: Run, changed: Run) -> Run:
    """Return ``changed`` with the co-purchases it needs; the run's own if they match."""
    then, now = fusion_of(run.manifest), fusion_of(changed.manifest)
    if not now.needs_co_purchases:
        return changed
    if run.co_purchase_set_no is not None and now.counting == then.counting:
        return changed
    number = ensure_co_purchases(parts.engine, now, history_version=run.history_version)
    return replace(changed, co_purchase_set_no=number)


def ensure_titles(parts: NightParts, run: Run, changed: Run) -> None:
    """Store the titles that ``changed`` needs as a source, if the night stored none.

    Titles of the current catalog are those of the night as long as the catalog is the same.

    Raises:
        UsageError: the night kept no titles, and the catalog has changed since.
    """
    then, now = fusion_of(run.manifest), fusion_of(changed.manifest)
    if not now.uses_titles or then.uses_titles:
        return
    with transaction(parts.engine) as connection:
        if has_titles(connection, run.run_no):  # of a replay before
            return
        disable_statement_timeout(connection)
        locks.share_lock(connection, locks.TEXTS)
        version = data_versions(connection)["catalog_version"]
        if version != run.manifest["build"]["catalog_version"]:
            raise UsageError(
                f"{run.run_id} kept no titles of purchases, and the catalog has changed since, so "
                "they cannot be a source.",
                "Replay a night that had them, or take queries and co_purchase.",
            )
        phrases = () if run.filters_no is None else load_filters(connection, run.filters_no).phrases
        freeze_titles(connection, run.run_no, run.history_version, title_test(tuple(phrases)))
