"""Nights of one shop, with parts that a defect may replace; a copy of the database per defect."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine, make_url, text

from benchmarks.place import Place, connect
from gpt4rec_es.db.engine import make_engine
from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import GateError
from gpt4rec_es.generation.title_generator import TitlesGenerator
from gpt4rec_es.index.building import BuildOptions
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.index.mapping import Analysis
from gpt4rec_es.index.reindex import ReindexOptions
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.parts import NightParts, VectorMaker, utc_now
from gpt4rec_es.night.publish import gates
from gpt4rec_es.night.publish.gates import Examination, check
from gpt4rec_es.night.publish.publish import publish
from gpt4rec_es.options.gates import GateLimits
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.protocols import QueryGenerator, Retriever
from gpt4rec_es.recipes.shipped import shipped
from gpt4rec_es.records import Decoding
from gpt4rec_es.retrieval.msearch import ElasticRetriever

FIRST = dt.date(2026, 1, 1)
# The product's fusion; the titles generator has no use for more queries.
DECODING = Decoding(num_queries=5, num_beams=5, max_new_tokens=24)
_DEFAULT = shipped("default").recipe
PRODUCT = NamedRecipe("product", replace(_DEFAULT, decoding=DECODING))
QUERIES = NamedRecipe("queries", Recipe(decoding=DECODING, fusion=Fusion()))


@dataclass
class World:
    """A shop, and what its next night is made with; a defect changes fields of a copy."""

    place: Place
    day: int
    generator: QueryGenerator = field(default_factory=TitlesGenerator)
    recipe: NamedRecipe = PRODUCT
    analysis: Analysis = field(default_factory=Analysis)
    now: Callable[[], dt.datetime] = utc_now
    open_reranker: Callable[[object], VectorMaker] | None = None
    ensure_index: Callable[[str | None], int] | None = None
    # Around the searches of the next night.
    around: Callable[[Retriever], Retriever] = field(default=lambda retriever: retriever)
    limits: GateLimits = field(default_factory=GateLimits)
    phrases: tuple[str, ...] = ()
    # Called with the connection and the run before it is checked again.
    damage: Callable[[Connection, Run], None] | None = None
    # Of the last night, and of one check of it.
    seconds: tuple[float, float] = (0.0, 0.0)

    @property
    def engine(self) -> Engine:
        """The database of the shop."""
        return self.place.engine

    def parts(self) -> NightParts:
        """Return the parts of the next night."""
        place = self.place

        def ensure_index(_encoder: str | None) -> int:
            build = BuildOptions(analysis=self.analysis)
            options = ReindexOptions(alias=place.alias, build=build, keep=9)
            return ensure_current(place.engine, place.elastic, options, actor="bench").build_no

        def none(_row: object) -> Any:
            raise AssertionError

        return NightParts(
            engine=place.engine,
            elastic=place.elastic,
            open_generator=lambda *_: self.generator,
            open_reranker=self.open_reranker or none,
            open_encoder=none,
            open_retriever=lambda index, run_id: self.around(
                ElasticRetriever(place.elastic, index, run_id)
            ),
            ensure_index=self.ensure_index or ensure_index,
            actor="bench",
            now=self.now,
        )

    def options(self) -> NightOptions:
        """Return the options of the next night."""
        return NightOptions(
            recipe=self.recipe,
            gate_limits=self.limits,
            phrases=self.phrases,
        )

    def use_generator(self) -> None:
        """Register the generator and make it the current one."""
        name = type(self.generator).__name__ + self.generator.content_hash[:8]
        with self.engine.begin() as connection:
            generators.register(
                connection,
                name=name,
                kind="titles",
                path=None,
                content_hash=self.generator.content_hash,
                card={},
            )
            generators.use(connection, name, actor="bench")

    def run(self) -> Examination:
        """Run the next night, with the defect, and return what its gates say."""
        self.use_generator()
        parts = self.parts()
        started = time.monotonic()
        with suppress(GateError):
            run_night(parts, self.options(), FIRST + dt.timedelta(days=self.day))
        checked = time.monotonic()
        with self.engine.connect() as connection:
            run = run_rows.newest(connection, 1)[0]
            if self.damage is not None:
                self.damage(connection, run)
                connection.commit()
                run = run_rows.load(connection, run.run_no)
            found = check(parts, connection, run)
        self.seconds = checked - started, time.monotonic() - checked
        return found

    def publish_without(self, gate: str) -> frozenset[str]:
        """Publish the refused night while a gate is switched off; return which others refuse it.

        What a canary refused goes on with all other users.
        """
        others = tuple(one for one in gates.GATES if one.name != gate)
        of_parts = tuple(one for one in others if one.judges_parts)
        parts, date = self.parts(), FIRST + dt.timedelta(days=self.day)
        with self.engine.connect() as connection:
            run = run_rows.newest(connection, 1)[0]
        with patch.multiple(gates, GATES=others, PART_GATES=of_parts), suppress(GateError):
            if publish(parts, run.run_id, force=False, reason=None).state != "published":
                run_night(parts, self.options(), date)
        with self.engine.connect() as connection:
            if run_rows.published(connection, run.kind) == run.run_no:
                return frozenset()
            with patch.multiple(gates, GATES=others, PART_GATES=of_parts):
                found = check(parts, connection, run_rows.load(connection, run.run_no))
        return frozenset(result.gate for result in found.refused)


@contextmanager
def copied(place: Place, alias_index: str) -> Iterator[Place]:
    """Yield a copy of a place; afterwards its database and its new indices are removed.

    alias_index: the index that the alias belongs to, before and afterwards.
    """
    url = make_url(place.url)
    name = f"{url.database}_copy"
    place.engine.dispose()
    admin = make_engine(
        url.set(database="postgres").render_as_string(hide_password=False),
        application_name="gpt4rec bench",
        isolation="AUTOCOMMIT",
    )
    known = set(place.elastic.indices.get(index=f"{place.alias}-*").body)
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{url.database}"'))
    copy_url = url.set(database=name).render_as_string(hide_password=False)
    copy = connect(copy_url, place.elasticsearch_url, place.alias)
    try:
        yield copy
    finally:
        copy.engine.dispose()
        copy.elastic.close()
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()
        found = set(place.elastic.indices.get(index=f"{place.alias}-*").body)
        for index in found - known:
            place.elastic.indices.delete(index=index)
        if not place.elastic.indices.exists_alias(name=place.alias):
            place.elastic.indices.put_alias(index=alias_index, name=place.alias)


def live_index(place: Place) -> str:
    """Return the index that the alias belongs to."""
    (name,) = place.elastic.indices.get_alias(name=place.alias).body
    return str(name)
