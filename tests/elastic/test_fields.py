"""Searches of several fields: the hits and scores of the server, and what they mean."""

import random
from copy import copy
from dataclasses import replace

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Engine, text

from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.elastic.similarity import FieldBm25, read_field_bm25
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.index.bm25 import set_bm25, undo_bm25
from gpt4rec_es.index.create import clone_index
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.index.live import check_build, live_build
from gpt4rec_es.index.mapping import Analysis, encode_document, index_body
from gpt4rec_es.index.reindex import ReindexOptions
from gpt4rec_es.lab.bm25.build import (
    TITLE_ANALYZER,
    index_of_build,
    memory_index,
    memory_retriever,
    server_analyzer,
)
from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.records import Bm25
from gpt4rec_es.retrieval import ElasticRetriever
from gpt4rec_es.retrieval.ad_hoc import search_titles
from tests.databases import Database
from tests.elastic.catalogs import (
    add_items,
    build_before_fields,
    build_index,
    builds_of,
    item_ids,
)
from tests.elastic.test_memory_equals_elasticsearch import (
    Catalog,
    differing,
    documents,
    real_looking_queries,
)
from tests.indexes import index_names

BRANDS = ["Red Candle Co", "lantern", "Vintage & Sons", None, None, "candle candle red"]
DESCRIPTIONS = [
    None,
    "A red candle that burns for forty hours. " * 3,
    "Vintage lantern, glass and brass, for candles of any size",
]
CATEGORIES = ["Home > Candles > Red candle", "Home > Lantern | Garden > Lantern", None, "Vintage"]


@pytest.fixture(scope="module")
def catalog(elastic: Elasticsearch, module_alias: str) -> Catalog:
    chance = random.Random(5)
    found = [
        replace(
            one,
            brand=chance.choice(BRANDS),
            category=chance.choice(CATEGORIES),
            description=chance.choice(DESCRIPTIONS),
        )
        for one in documents()
    ]
    index = f"{module_alias}-1"
    elastic.indices.create(index=index, **index_body(Bm25(), Analysis()))
    answer = elastic.bulk(index=index, body=b"".join(map(encode_document, found)), refresh=True)
    assert not answer["errors"]
    elastic.indices.forcemerge(index=index, max_num_segments=1)
    memory = memory_index(found, server_analyzer(elastic, index, TITLE_ANALYZER))
    queries = real_looking_queries([d.title for d in found], 600)
    queries += [f"{text} lantern red" for text in queries[:100]] + ["candle red candle"]
    return Catalog(index, memory, queries)


@pytest.mark.parametrize(
    "fields",
    [
        {"brand": 0.3},
        {"category": 1.0},
        {"brand": 1.0, "category": 0.07},
        {"brand": 7.0},
        {"description": 0.2},
        {"brand": 0.5, "description": 1.0},
    ],
)
@pytest.mark.parametrize("required", [None, "2", "75%", "-1", "2<-25% 9<-3"])
def test_same_hits_order_and_scores_as_in_this_process(
    elastic: Elasticsearch, catalog: Catalog, fields: dict[str, float], required: str | None
) -> None:
    options = SearchOptions(required, tuple(fields.items()))
    assert differing(elastic, catalog, Bm25(), options) == []


def test_other_k1_and_b_are_those_of_titles_alone(elastic: Elasticsearch, catalog: Catalog) -> None:
    other, bm25 = f"{catalog.index}-other", Bm25(0.4, 0.1)
    elastic.indices.add_block(index=catalog.index, block="write")
    clone_index(elastic, catalog.index, other, bm25)
    mine = Catalog(other, catalog.memory, catalog.queries)
    for required in (None, "2"):
        options = SearchOptions(required, WITH_BRAND.fields)
        assert differing(elastic, mine, bm25, options) == []


@pytest.mark.parametrize(
    "values",
    [
        {"brand": Bm25(0.3, 0.0)},
        {"category": Bm25(2.0, 1.0), "description": Bm25(0.0, 0.5)},
        {"brand": Bm25(1.9, 0.1), "category": Bm25(0.2, 0.9), "description": Bm25(3.0, 0.0)},
    ],
)
def test_each_field_has_k1_and_b_of_its_own(
    elastic: Elasticsearch, catalog: Catalog, values: FieldBm25
) -> None:
    other, bm25 = f"{catalog.index}-{'-'.join(values)}", Bm25(0.9, 0.4)
    elastic.indices.add_block(index=catalog.index, block="write")
    clone_index(elastic, catalog.index, other, bm25, fields=values)
    assert read_field_bm25(elastic, other) == values
    memory = copy(catalog.memory)
    memory.field_bm25 = values
    for required in (None, "2"):
        weights = tuple((name, 0.6) for name in ("brand", "category", "description"))
        options = SearchOptions(required, weights)
        mine, plain = (Catalog(other, one, catalog.queries) for one in (memory, catalog.memory))
        assert differing(elastic, mine, bm25, options) == []
        assert differing(elastic, plain, bm25, options)


def test_k1_and_b_of_fields_outlive_other_values_of_titles_and_a_reindex(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    def now() -> tuple[Bm25, FieldBm25]:
        build = live_build(engine, elastic, alias)
        assert build.field_bm25 == read_field_bm25(elastic, build.index_name)
        assert index_of_build(elastic, build.index_name).field_bm25 == build.field_bm25
        return build.bm25, build.field_bm25

    first = build_index(engine, elastic, alias).build
    brand = {"brand": Bm25(0.4, 0.1)}
    dry = set_bm25(engine, elastic, alias, fields=brand, actor="me", reason=None, dry_run=True)
    assert (dry.after, dry.fields, now()) == (None, brand, (Bm25(), {}))
    set_bm25(engine, elastic, alias, fields=brand, actor="me", reason=None)
    assert now() == (Bm25(), brand)
    with pytest.raises(UsageError, match=r"k1 0.4, b 0.1 are live already"):
        set_bm25(engine, elastic, alias, fields=brand, actor="me", reason=None)
    tuned = Bm25(0.5, 0.25)
    set_bm25(engine, elastic, alias, tuned, actor="me", reason=None)
    assert now() == (tuned, brand)
    build_index(engine, elastic, alias)
    assert now() == (tuned, brand)
    # Back to the defaults, which a clone does not inherit.
    set_bm25(engine, elastic, alias, fields={"brand": Bm25()}, actor="me", reason=None)
    assert now() == (tuned, {})
    undo_bm25(engine, elastic, alias, actor="me", reason=None)
    assert now() == (tuned, brand)
    again = live_build(engine, elastic, alias)
    assert again.index_name != first.index_name
    elastic.indices.close(index=again.index_name)
    elastic.indices.put_settings(
        index=again.index_name, settings={"index.similarity.brand_bm25.b": 0.3}
    )
    elastic.indices.open(index=again.index_name, wait_for_active_shards=1)
    with pytest.raises(DataError, match="k1, b of a field are others"):
        check_build(elastic, again)


ITEMS = {
    "A": ("lamp", "Sony", None),
    "B": ("sony lamp", None, None),
    "C": ("headphones", "Sony", None),
    "D": ("lamp shade", "Other", None),
    "E": ("sofa", "Sony", None),
}
WITH_BRAND = SearchOptions(None, (("brand", 0.5), ("category", 2.0)))


@pytest.fixture
def engine(database: Database) -> Engine:
    add_items(database.engine, [(item_id, title) for item_id, (title, _, _) in ITEMS.items()])
    with database.engine.begin() as connection:
        for item_id, (_, brand, category) in ITEMS.items():
            connection.execute(
                text("UPDATE items SET brand = :brand, category = :category WHERE item_id = :id"),
                {"id": item_id, "brand": brand, "category": category},
            )
    return database.engine


def found_by(
    engine: Engine, elastic: Elasticsearch, index: str, query: str, options: SearchOptions
) -> list[str]:
    """Return the ids of the items found, by the server and in this process."""
    (result,) = ElasticRetriever(elastic, index).search([query], 10, options)
    (again,) = memory_retriever(elastic, index, Bm25()).search([query], 10, options)
    assert result.item_nos == again.item_nos
    return item_ids(engine, result.item_nos)


def test_an_item_is_found_by_any_of_the_fields_and_a_minimum_counts_all_of_them(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    index = build_index(engine, elastic, alias).build.index_name
    assert set(found_by(engine, elastic, index, "sony", SearchOptions())) == {"B"}
    assert set(found_by(engine, elastic, index, "sony", WITH_BRAND)) == {"A", "B", "C", "E"}
    # Both words are in title and brand together of A, in the title of B, and never of the others.
    both = SearchOptions("100%", WITH_BRAND.fields)
    assert set(found_by(engine, elastic, index, "sony lamp", both)) == {"A", "B"}
    assert set(found_by(engine, elastic, index, "sony lamp", SearchOptions("100%"))) == {"B"}
    assert found_by(engine, elastic, index, "sony lamp", WITH_BRAND)[:2] == ["B", "A"]


def test_an_explanation_names_the_field_of_each_term_and_adds_up_to_the_score(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    build_index(engine, elastic, alias)
    found = search_titles(elastic, alias, "sony lamp", 5, WITH_BRAND, explain=True)
    assert found.fields == {"brand": 0.5, "category": 2.0}
    by_item = {hit.item_id: hit for hit in found.hits}
    named = {key: [(t.field, t.term) for t in hit.terms or ()] for key, hit in by_item.items()}
    assert named["A"] == [("title", "lamp"), ("brand", "sony")]
    assert named["B"] == [("title", "sony"), ("title", "lamp")]
    assert named["C"] == [("brand", "sony")]
    for hit in found.hits:
        assert sum(term.score for term in hit.terms or ()) == pytest.approx(hit.score)
    (brand,) = (term for term in by_item["C"].terms or ())
    # Statistics are those of the field: three of four brands.
    assert (brand.documents, brand.all_documents, brand.length) == (3, 4, 1)
    doubled = SearchOptions(None, (("brand", 1.0),))
    (more,) = (
        h for h in search_titles(elastic, alias, "sony", 5, doubled).hits if h.title == "sofa"
    )
    assert more.score == pytest.approx(2 * brand.score)


def test_descriptions_are_found_after_an_import_of_some_and_by_no_index_without(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    by_description = SearchOptions(None, (("description", 0.5),))
    before = build_index(engine, elastic, alias).build
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE items SET description = 'Needs a bulb of 40 watt' WHERE item_id = 'D';"
                "UPDATE catalog_state SET catalog_version = catalog_version + 1"
            )
        )
    after = ensure_current(engine, elastic, ReindexOptions(alias=alias), actor="night")
    assert (after.build_no, after.mapping_hash) == (before.build_no + 1, before.mapping_hash)
    assert found_by(engine, elastic, after.index_name, "bulb", by_description) == ["D"]
    assert found_by(engine, elastic, before.index_name, "bulb", by_description) == []
    assert found_by(engine, elastic, after.index_name, "bulb", SearchOptions()) == []
    (hit,) = search_titles(elastic, alias, "watt", 5, by_description, explain=True).hits
    assert [(term.field, term.term) for term in hit.terms or ()] == [("description", "watt")]


@pytest.mark.parametrize("field", ["brand", "description"])
def test_a_field_that_the_index_was_built_without_is_refused_and_nothing_changes(
    engine: Engine,
    elastic: Elasticsearch,
    alias: str,
    monkeypatch: pytest.MonkeyPatch,
    field: str,
) -> None:
    old = build_before_fields(engine, elastic, alias, monkeypatch)
    values, options = {field: Bm25(0.4, 0.0)}, SearchOptions(None, ((field, 0.5),))
    lacking = rf"{old.index_name} has no field {field} to search. `gpt4rec reindex` builds one"
    for dry_run in (True, False):
        with pytest.raises(DataError, match=lacking):
            set_bm25(
                engine, elastic, alias, fields=values, actor="me", reason=None, dry_run=dry_run
            )
    with pytest.raises(DataError, match=lacking):
        search_titles(elastic, alias, "sony lamp", 5, options)
    with pytest.raises(DataError, match=lacking):
        memory_retriever(elastic, old.index_name, Bm25()).search(["sony lamp"], 5, options)
    assert [build.build_no for build in builds_of(engine, alias)] == [old.build_no]
    assert index_names(elastic, alias) == [old.index_name]
    # Other fields, and titles, are searched as before.
    category = SearchOptions(None, (("category", 0.5),))
    assert search_titles(elastic, alias, "sony", 5, category).hits
    set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason=None)
    assert live_build(engine, elastic, alias).field_bm25 == {}
    build_index(engine, elastic, alias)
    set_bm25(engine, elastic, alias, fields=values, actor="me", reason=None)
    assert search_titles(elastic, alias, "sony lamp", 5, options).fields == {field: 0.5}
    assert live_build(engine, elastic, alias).field_bm25 == values


def test_fields_share_the_characters_of_a_long_text() -> None:
    long = "ab" * 2_000
    assert len(search_text(long)) == 900
    assert len(search_text(long, WITH_BRAND)) == 300
    assert len(search_text(long, SearchOptions("2", WITH_BRAND.fields))) == 150


def test_the_server_takes_a_text_of_as_many_terms_as_are_sent(
    elastic: Elasticsearch, catalog: Catalog
) -> None:
    signs = "".join(chr(0x4E00 + n) for n in range(900))
    for required in (None, "2"):
        options = SearchOptions(required, (("brand", 0.5), ("category", 0.5)))
        (result,) = ElasticRetriever(elastic, catalog.index).search([signs], 10, options)
        assert result.exhausted
