"""Nights whose recipe searches its texts by vectors, too."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.import_items import import_items
from gpt4rec_es.cli.why_reasons import reason_of
from gpt4rec_es.db.rows import builds, encoders, runs
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.lab.bm25.nearest import NearestTitles
from gpt4rec_es.lab.replay.changes import ReplayChanges
from gpt4rec_es.lab.replay.replay import replay
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.near import near_options_of, open_searches
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.night.inspect.why_item import explain_item
from gpt4rec_es.night.start import start_night
from gpt4rec_es.options.lists import ANY_TERM, Fusion, SearchOptions
from gpt4rec_es.options.recipe import NamedRecipe, Recipe, with_vectors, without_vectors
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.records import Decoding, SearchResult
from gpt4rec_es.reranking.encoder_registry import add_encoder, open_encoder_of
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import COLOURS, KINDS, STYLES, TITLES, Shop, make_shop, stored_rows, use_recipe
from tests.vectors import save_token_vectors

DAY = dt.date(2026, 11, 22)
PLAIN = Recipe(
    Decoding(num_queries=3, num_beams=4, max_new_tokens=8),
    fusion=Fusion(
        (("queries", 1.0), ("history_titles", 1.0)),
        method="learned",
        coefficients=(("query_best", 0.1), ("title_recent", 0.1)),
        candidates=9,
        query_hits=4,
    ),
)
RECIPE = replace(
    PLAIN,
    fusion=replace(
        PLAIN.fusion,
        weights=(*PLAIN.fusion.weights, ("query_vectors", 1.0), ("title_vectors", 1.0)),
        coefficients=(
            *PLAIN.fusion.coefficients,
            ("title_near_recent", 2.0),
            ("query_near_best", 1.5),
        ),
    ),
    encoder="words",
)
LIMITS = "full=0 fallbacks=1 top_item=1 top_first_query=1 repeating_queries=1 unknown_queries=1"


def word_vectors(seed: int = 1) -> dict[str, tuple[float, ...]]:
    """Return a vector of each word of the shop's titles."""
    chance = np.random.default_rng(seed)
    words = (*STYLES, *COLOURS, *KINDS)
    return {word: tuple(chance.normal(size=6).tolist()) for word in words}


def save_words(folder: Path, seed: int = 1) -> Path:
    """Save them."""
    return save_token_vectors(folder, word_vectors(seed))


def runtime_of(shop: Shop, **changes: object) -> Runtime:
    return shop.runtime(gate_limits=LIMITS, **changes)


@pytest.fixture
def shop(servers: Servers, database: Database, alias: str, tmp_path: Path) -> Shop:
    """A shop with an encoder that its live recipe names."""
    use_titles(database)
    made = make_shop(servers, database, alias)
    folder = save_words(tmp_path / "words")
    add_encoder(made.runtime().engine, "words", "static", path=folder, actor="test")
    with database.engine.begin() as connection:
        use_recipe(connection, "vectors", RECIPE)
    return made


def night(shop: Shop, day: int = 0, **parts: Any) -> runs.Run:
    runtime = runtime_of(shop)
    made = replace(runtime.night_parts(), **parts)
    report = run_night(made, runtime.night_options(), DAY + dt.timedelta(days=day))
    with made.engine.connect() as connection:
        return runs.find(connection, report.run_id)


def lists(database: Database, run_no: int) -> list[tuple[object, ...]]:
    with database.engine.connect() as connection:
        return stored_rows(connection, run_no)


def searches(database: Database) -> dict[int, list[int]]:
    """Return the numbers of texts that were searched, by options number."""
    with database.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT options_no, array_agg(query_no ORDER BY query_no) FROM searches "
                "WHERE depth = (SELECT depth FROM runs WHERE run_no = 1) GROUP BY 1"
            )
        )
        return {row[0]: row[1] for row in found}


def test_texts_are_searched_by_words_and_by_vectors_once(shop: Shop, database: Database) -> None:
    run = night(shop)
    assert run.state == "published"
    encoder = run.manifest["encoder"]
    assert (encoder["name"], run.manifest["recipe"]["name"]) == ("words", "vectors")
    found = searches(database)
    with database.engine.connect() as connection:
        asked = connection.execute(
            text(
                "SELECT DISTINCT query_no FROM (SELECT query_no FROM run_titles UNION "
                "SELECT query_no FROM generated_queries) AS q ORDER BY 1"
            )
        ).scalars()
        assert found[encoder["options_no"]] == list(asked)
    # Another night over the same purchases searches nothing.
    again = night(shop, 1)
    assert again.state == "published"
    assert searches(database) == found
    assert lists(database, again.run_no) == lists(database, run.run_no)
    sources = {row[3] for row in lists(database, run.run_no)}
    assert {"title_vectors", "query_vectors"} <= sources


def test_hits_are_those_of_an_exact_search_in_this_process(shop: Shop, database: Database) -> None:
    run = night(shop)
    runtime = runtime_of(shop)
    with database.engine.connect() as connection:
        row = encoders.get(connection, "words")
        numbers = connection.execute(text("SELECT item_no, item_id, title FROM items")).all()
    encoder = open_encoder_of(database.engine, row)
    ids = {one.item_no: one.item_id for one in numbers}
    exact = NearestTitles(ids, encoder.encode([one.title for one in numbers]), encoder.encode)
    asked = [*TITLES[:20], "red", "vintage candle candle", "nothing known"]
    options = near_options_of(run.manifest)
    of_server = open_searches(runtime.night_parts(), run).search(asked, 12, options)
    for here, there in zip(exact.search(asked, 12), of_server, strict=True):
        assert (here.exhausted, here.is_empty_query) == (there.exhausted, there.is_empty_query)
        assert here.scores == pytest.approx(there.scores, abs=1e-6)
        assert here.item_nos == there.item_nos


class DiesByVectors:
    """Ends at the second search by vectors."""

    def __init__(self, inner: Retriever, done: list[int]) -> None:
        self._inner, self._done = inner, done

    def search(
        self, texts: Sequence[str], depth: int, options: SearchOptions = ANY_TERM
    ) -> list[SearchResult]:
        self._done.append(len(texts))
        if len(self._done) == 2:
            raise KeyboardInterrupt
        return self._inner.search(texts, depth, options)


def test_a_night_that_ends_in_its_search_stage_goes_on(shop: Shop, database: Database) -> None:
    runtime = runtime_of(shop)
    opened, done = runtime.night_parts().open_retriever, list[int]()

    def dying(index_name: str, run_id: str, encoder: Any = None) -> Retriever:
        found = opened(index_name, run_id, encoder)
        return found if encoder is None else DiesByVectors(found, done)

    with pytest.raises(KeyboardInterrupt):
        night(shop, open_retriever=dying)
    before = searches(database)
    assert before
    parts, options = runtime.night_parts(), runtime.night_options()
    run = start_night(parts, options, DAY).run
    assert run.state == "searching"
    assert drain(parts, options, run.run_no, "other").run.state == "published"
    undisturbed = night(shop, 1)
    assert lists(database, undisturbed.run_no) == lists(database, run.run_no)
    with database.engine.connect() as connection:
        twice = connection.execute(
            text("SELECT count(*) - count(DISTINCT (query_no, depth, options_no)) FROM searches")
        ).scalar_one()
    assert twice == 0


def test_replays_and_explanations_repeat_it(shop: Shop, database: Database) -> None:
    run = night(shop)
    parts = runtime_of(shop).night_parts()
    assert replay(parts, "latest", ReplayChanges()).is_equal
    plain = replay(parts, "latest", ReplayChanges(recipe=NamedRecipe("plain", PLAIN)))
    assert not plain.is_equal
    assert plain.searches == 0
    with database.engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT user_id, source, f.item_id AS from_id, i.item_id, score, hit_rank "
                "FROM recommendations JOIN users USING (user_no) JOIN items AS i USING (item_no) "
                "LEFT JOIN items AS f ON f.item_no = from_item_no "
                "WHERE source = 'title_vectors' ORDER BY user_no, rank LIMIT 1"
            )
        ).one()
    found = explain_user(parts.engine, row.user_id).as_dict()
    assert found["equals_merge_now"]
    shown = next(one for one in found["recommendations"] if one["source"] == "title_vectors")
    assert shown["contributions"]["title_vectors"] > 0
    assert -1 <= shown["score"] <= 1.000001
    title = shown["from_item"]["title"]
    said = f"near the bought title “{title}” (cosine {shown['score']:.2f})"
    assert reason_of({**shown, "is_active": True}) == said
    item = explain_item(parts.engine, row.user_id, row.item_id).as_dict()
    places = [
        one
        for one in item["found"]
        if one["source"] == "title_vectors" and one["from_item"]["item_id"] == row.from_id
    ]
    assert [(one["hit_rank"], one["used_hits"]) for one in places] == [(row.hit_rank, 9)]
    assert places[0]["score"] == pytest.approx(row.score, abs=1e-6)
    assert run.manifest["fusion"]["weights"][-1] == ["title_vectors", 1.0]


def test_a_night_by_words_is_replayed_by_vectors(shop: Shop, database: Database) -> None:
    by_vectors = night(shop)
    with database.engine.begin() as connection:
        use_recipe(connection, "plain", PLAIN)
    plain = night(shop, 1)
    assert "encoder" not in plain.manifest
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM searches WHERE options_no > 0"))
    parts = runtime_of(shop).night_parts()
    found = replay(parts, plain.run_id, ReplayChanges(recipe=NamedRecipe("vectors", RECIPE)))
    assert found.searches > 0
    with pytest.raises(UsageError, match="has no encoder"):
        replay(parts, plain.run_id, ReplayChanges(fusion={"weights": (("title_vectors", 1.0),)}))
    again = replay(parts, plain.run_id, ReplayChanges(recipe=NamedRecipe("vectors", RECIPE)))
    assert again.searches == 0
    assert lists(database, by_vectors.run_no) != lists(database, plain.run_no)


def test_a_replay_knows_an_encoder_by_its_content(
    shop: Shop, database: Database, tmp_path: Path
) -> None:
    run = night(shop)
    parts = runtime_of(shop).night_parts()
    by_recipe = ReplayChanges(recipe=NamedRecipe("vectors", RECIPE))
    with database.engine.begin() as connection:  # as if it had been removed and added again
        encoders.mark_removed(connection, run.manifest["encoder"]["encoder_no"])
    add_encoder(database.engine, "words", "static", path=tmp_path / "words", actor="test")
    found = replay(parts, run.run_id, by_recipe)
    assert (found.is_equal, found.searches) == (True, 0)
    with database.engine.begin() as connection:
        encoders.mark_removed(connection, encoders.get(connection, "words").encoder_no)
    other = save_words(tmp_path / "other", 2)
    add_encoder(database.engine, "words", "static", path=other, actor="test")
    with pytest.raises(UsageError, match="holds no vectors of the encoder 'words'"):
        replay(parts, run.run_id, by_recipe)
    assert replay(parts, run.run_id, ReplayChanges()).is_equal


def test_lists_by_vectors_alone_merge_one_source(shop: Shop, database: Database) -> None:
    fusion = Fusion((("query_vectors", 1.0),), method="scores", query_hits=9)
    with database.engine.begin() as connection:
        use_recipe(connection, "alone", replace(PLAIN, fusion=fusion, encoder="words"))
    run = night(shop)
    found = {row[3] for row in lists(database, run.run_no)} - {None}
    assert "query_vectors" in found
    assert found <= {"query_vectors", "backfill", "last_title", "popular"}


def test_an_item_imported_today_is_found_tonight_without_a_common_word(
    shop: Shop, database: Database, tmp_path: Path
) -> None:
    vectors = word_vectors()
    others = {f"x{word}": row for word, row in vectors.items()}  # other words for the same things
    folder = save_token_vectors(tmp_path / "wide", {**vectors, **others})
    runtime = runtime_of(shop)
    add_encoder(runtime.engine, "wide", "static", path=folder, actor="test")
    fusion = Fusion((("query_vectors", 1.0),), method="scores", query_hits=9)
    with database.engine.begin() as connection:
        use_recipe(connection, "wide", replace(PLAIN, fusion=fusion, encoder="wide"))
    night(shop)
    rows = "SELECT user_id, query FROM analytics.latest_generated_queries ORDER BY 1, 2"
    with database.engine.connect() as connection:
        queries = connection.execute(text(rows)).all()
    wanted = next(row.query for row in queries if row.query in TITLES)
    items = tmp_path / "items.csv"
    items.write_text(f"item_id,title\nnew-1,{' '.join(f'x{w}' for w in wanted.split())}\n")
    assert import_items(runtime.engine, [items], actor="test").inserted == 1
    assert night(shop, 1).state == "published"
    with database.engine.connect() as connection:
        listed = connection.execute(
            text(
                "SELECT user_id, source, query FROM analytics.latest_recommendations "
                "WHERE item_id = 'new-1'"
            )
        ).all()
    assert {row.user_id for row in queries if row.query == wanted} <= {
        row.user_id for row in listed
    }
    assert {row.source for row in listed} == {"query_vectors"}


def test_an_encoder_that_changed_or_is_not_in_the_index_stops_the_plan(
    shop: Shop, database: Database, tmp_path: Path
) -> None:
    night(shop)
    runtime = runtime_of(shop)
    add_encoder(
        runtime.engine, "others", "static", path=save_words(tmp_path / "others", 2), actor="test"
    )
    parts = replace(runtime.night_parts(), ensure_index=lambda _: 1)
    options = runtime.night_options(NamedRecipe("x", replace(RECIPE, encoder="others")))
    with pytest.raises(UsageError, match="holds no vectors of the encoder") as caught:
        run_night(parts, options, DAY + dt.timedelta(days=1))
    assert "gpt4rec reindex --encoder others" in str(caught.value.hint)
    # Without that, a night of a recipe that is not live makes the vectors first.
    made = run_night(runtime.night_parts(), options, DAY + dt.timedelta(days=1))
    with database.engine.connect() as connection:
        run = runs.find(connection, made.run_id)
        assert run.manifest["encoder"]["name"] == "others"
        assert builds.load(connection, run.build_no).encoder_no == 2
    options = runtime.night_options(NamedRecipe("x", replace(RECIPE, encoder="nobody")))
    with pytest.raises(UsageError, match="There is no encoder 'nobody'"):
        run_night(parts, options, DAY + dt.timedelta(days=1))
    save_words(tmp_path / "words", 3)
    with pytest.raises(ConflictError, match="changed since it was registered"):
        night(shop, 1)


def test_the_sources_need_an_encoder_and_it_needs_them() -> None:
    with pytest.raises(UsageError, match="names no encoder"):
        replace(RECIPE, encoder=None)
    with pytest.raises(UsageError, match="would have no effect"):
        replace(PLAIN, encoder="words")
    assert without_vectors(RECIPE) == PLAIN
    assert with_vectors(RECIPE, "words") == RECIPE
    assert without_vectors(PLAIN) == PLAIN
