"""Defects of feeds, of the index, of rules, recipes and re-rankers, and of clocks."""

import datetime as dt
import random
from dataclasses import replace

from sqlalchemy import Connection, text

from benchmarks.gates.changes import (
    NEW_CATALOG,
    Change,
    Defect,
    damage,
    documents,
    setting_of_index,
    sql,
    uncheck,
)
from benchmarks.gates.fakes import Vectors
from benchmarks.gates.nights import PRODUCT, World
from gpt4rec_es.db.rows import rerankers
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inputs.parts import utc_now
from gpt4rec_es.options.recipe import NamedRecipe

_FALLBACKS = ("few_fallbacks",)
_CATALOG = ("catalog_did_not_shrink",)
_BUILD = ("build_has_the_catalog", "build_is_unchanged")
_NOTHING_LEFT = (*_FALLBACKS, "items_exist_and_are_active")
_BLOCK = "INSERT INTO block_rules (kind, value, reason, actor) SELECT 'item', item_id, 'x', 'b'"
# The terms of queries are written backwards.
_BACKWARDS = {
    "index.analysis.analyzer.catalog_search": {
        "type": "custom",
        "tokenizer": "keyword",
        "filter": ["reverse"],
    }
}


def _k1_afterwards(world: World, chance: random.Random) -> None:
    k1 = chance.choice([0.3, 0.5, 2.0])
    world.place.run(NEW_CATALOG)  # so that the night has a build of its own

    def spoil(connection: Connection, run: Run) -> None:
        uncheck(connection, run)
        elastic, settings = world.place.elastic, {"index.similarity.catalog_bm25.k1": k1}
        elastic.indices.put_settings(index=run.index_name, settings=settings, reopen=True)
        elastic.cluster.health(index=run.index_name, wait_for_status="yellow")

    world.damage = spoil


def _not_applied(world: World, chance: random.Random) -> None:
    k1 = chance.choice([0.4, 0.9, 1.8])

    def spoil(connection: Connection, run: Run) -> None:
        uncheck(connection, run)
        connection.execute(
            text(
                "UPDATE runs SET manifest = jsonb_set(manifest, '{build,k1}', to_jsonb("
                "cast(:k1 AS float8))) WHERE run_no = :run"
            ),
            {"k1": k1, "run": run.run_no},
        )

    world.damage = spoil


def reranker(name: str, *, is_constant: bool, coefficient: float = 0.1) -> Change:
    """Let a re-ranker without a network score candidates."""

    def change(world: World, _chance: random.Random) -> None:
        maker = Vectors(name, is_constant=is_constant)
        with world.engine.begin() as connection:
            rerankers.register(
                connection,
                name=name,
                content_hash=maker.content_hash,
                path="/there",
                gpt2="gpt2",
                width=maker.width,
                history_length=maker.history_length,
                card={},
                actor="bench",
            )
        world.open_reranker = lambda _row: maker
        fusion = PRODUCT.recipe.fusion
        learned = replace(fusion, coefficients=(*fusion.coefficients, ("rerank", coefficient)))
        recipe = replace(PRODUCT.recipe, fusion=learned, reranker=name)
        world.recipe = NamedRecipe(name, recipe)

    return change


def _clock(hours: tuple[int, int]) -> Change:
    def change(world: World, chance: random.Random) -> None:
        ahead = dt.timedelta(hours=chance.uniform(*hours))
        world.now = lambda: utc_now() + ahead

    return change


def _without(start: str) -> Change:
    """Use the product's recipe without the coefficients of a source."""

    def change(world: World, _chance: random.Random) -> None:
        fusion = PRODUCT.recipe.fusion
        kept = tuple(pair for pair in fusion.coefficients if not pair[0].startswith(start))
        recipe = replace(PRODUCT.recipe, fusion=replace(fusion, coefficients=kept))
        world.recipe = NamedRecipe("without", recipe)

    return change


DATA_DEFECTS = (
    Defect(
        "truncated cohort",
        ("cohort_did_not_shrink",),
        sql(
            "DELETE FROM interactions WHERE is_part(user_no);"
            "UPDATE catalog_state SET history_version = history_version + 1"
        ),
    ),
    Defect(
        "a quarter of the users without purchases",
        ("cohort_did_not_shrink",),
        sql(
            "DELETE FROM interactions WHERE user_no % 4 = 0;"
            "UPDATE catalog_state SET history_version = history_version + 1"
        ),
    ),
    Defect(
        "purchases of other items",
        ("lists_resemble_the_published",),
        sql(
            "CREATE TEMP TABLE moved ON COMMIT DROP AS SELECT * FROM interactions;"
            "DELETE FROM interactions;"
            "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
            "SELECT user_no, 1 + (item_no + 479) % (SELECT max(item_no) FROM items), event_no, "
            "ordinal, version FROM moved;"
            "UPDATE catalog_state SET history_version = history_version + 1"
        ),
    ),
    Defect(
        "half of the catalog inactive",
        _CATALOG,
        sql(f"UPDATE items SET is_active = false WHERE is_part(item_no);{NEW_CATALOG}"),
    ),
    Defect(
        "titles lost",
        _CATALOG,
        sql(f"UPDATE items SET title = NULL WHERE is_part(item_no);{NEW_CATALOG}"),
    ),
    Defect(
        "all items inactive",
        (*_NOTHING_LEFT, *_CATALOG),
        sql(f"UPDATE items SET is_active = false;{NEW_CATALOG}"),
    ),
    Defect("prices in cents", _CATALOG, sql(f"UPDATE items SET price = price * 100;{NEW_CATALOG}")),
    Defect(
        "prices in thousands", _CATALOG, sql(f"UPDATE items SET price = price / 1000;{NEW_CATALOG}")
    ),
    Defect("prices lost", _CATALOG, sql(f"UPDATE items SET price = NULL;{NEW_CATALOG}")),
    Defect(
        "stale build",
        _BUILD,
        damage("UPDATE items SET title = title || ' new' WHERE is_part(item_no)"),
    ),
    Defect(
        "build without new items",
        _BUILD,
        damage(
            "INSERT INTO items (item_id, title, title_raw, version) "
            "SELECT 'n' || n, 'thing', 'thing', 1 FROM generate_series(1, 40) AS n"
        ),
    ),
    Defect("empty index", (*_FALLBACKS, *_BUILD), documents("ctx.op = 'delete'")),
    Defect(
        "half of the documents lost",
        _BUILD,
        documents("if (ctx._source.item_no % 100 < 100 * params.part) ctx.op = 'delete'"),
    ),
    Defect(
        "swapped item numbers in the index",
        _BUILD,
        documents("ctx._source.item_no += ctx._source.item_no % 2 == 0 ? -1 : 1"),
    ),
    Defect(
        "titles of other items in the index",
        _BUILD,
        documents("ctx._source.title = 'item ' + ctx._source.item_no"),
    ),
    Defect("documents all inactive", _NOTHING_LEFT, documents("ctx._source.is_active = false")),
    Defect(
        "wrong analyzer of queries",
        (*_FALLBACKS, "every_source_took_part", "lists_are_full", "queries_are_readable"),
        setting_of_index({**_BACKWARDS}),
    ),
    Defect("k1 changed after planning", _BUILD, _k1_afterwards),
    Defect("k1 not applied", _BUILD, _not_applied),
    Defect("rule that blocks everything", _NOTHING_LEFT, sql(f"{_BLOCK} FROM items")),
    Defect(
        "rule that blocks all but 1 %",
        (*_FALLBACKS, "lists_are_full", "lists_differ"),
        sql(f"{_BLOCK} FROM items WHERE item_no % 100 > 0"),
    ),
    Defect("recipe without effect of queries", ("every_source_took_part",), _without("query")),
    Defect("recipe without effect of co-purchases", ("every_source_took_part",), _without("co_")),
    Defect(
        "re-ranker that returns constants",
        ("re_ranker_took_part",),
        reranker("constants", is_constant=True),
    ),
    Defect("clock a day ahead", ("clock_is_right",), _clock((22, 26))),
    Defect("clock behind", ("clock_is_right",), _clock((-400, -2))),
)
