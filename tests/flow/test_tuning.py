"""Tuning on real servers: measured, verified, stored; a known gain is found, promoted, undone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import text

from gpt4rec_es.db.rows.trials import TrialRow
from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.errors import ConflictError, DataError, UsageError
from gpt4rec_es.generation.title_generator import TitlesGenerator
from gpt4rec_es.index.bm25 import set_bm25, show_bm25, undo_bm25
from gpt4rec_es.index.reindex import reindex
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.lab.tuning import tune as tuning
from gpt4rec_es.lab.tuning.inputs import TuningOptions, TuningParts
from gpt4rec_es.lab.tuning.trials import list_trials, promote, show_trial
from gpt4rec_es.lab.tuning.tune import tune_bm25
from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.records import Bm25, Decoding, Generation
from gpt4rec_es.runtime import Runtime
from tests.commands import Cli
from tests.databases import Database
from tests.indexes import index_names
from tests.pages import cells, read_page
from tests.shop import Shop

RECIPE = Recipe(Decoding(num_queries=2, num_beams=2))
OPTIONS = TuningOptions(split="loo", k=3, recipe=NamedRecipe("test", RECIPE))


@pytest.fixture
def runtime(shop: Shop, database: Database) -> Runtime:
    runtime = shop.runtime()
    create_split(database.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    reindex(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    return runtime


@pytest.fixture
def long_titles(shop: Shop, database: Database) -> Runtime:
    """Users buy a short and then a long title with the same word, which b = 0 finds.

    With b = 0.75 other short titles with the word are ranked first.
    """
    with database.engine.begin() as connection:
        for table in ("interactions", "items", "users"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(
            text("""
            INSERT INTO items (item_id, title, title_raw, version)
            SELECT format('s%s-%s', w, n), 'word' || w || repeat(' x' || n, n), 'x', 1
            FROM generate_series(1, 30) AS w, generate_series(1, 6) AS n
            UNION ALL
            SELECT format('t%s', w), format('word%1$s word%1$s', w) || repeat(' filler', 12), 'x', 1
            FROM generate_series(1, 30) AS w
            """)
        )
        connection.execute(
            text("INSERT INTO users (user_id) SELECT 'u' || n FROM generate_series(1, 30) AS n")
        )
        for place, item in ((1, "'s' || n || '-1'"), (2, "'t' || n"), (3, "'s' || n || '-6'")):
            connection.execute(
                text(
                    "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
                    f"SELECT user_no, item_no, {place}, {place}, 1 "
                    "FROM generate_series(1, 30) AS n JOIN users ON user_id = 'u' || n "
                    f"JOIN items ON item_id = {item}"
                )
            )
    runtime = shop.runtime()
    create_split(database.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    reindex(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    return runtime


def live(runtime: Runtime) -> Bm25:
    build, _ = show_bm25(runtime.engine, runtime.elastic, runtime.settings.index_alias)
    return build.bm25


def promote_trial(runtime: Runtime, trial: TrialRow, **more: bool) -> None:
    alias = runtime.settings.index_alias
    promote(runtime.engine, runtime.elastic, alias, trial.trial_no, actor="test", **more)


def test_a_planted_gain_is_found_promoted_and_undone(
    long_titles: Runtime, database: Database, elastic: Elasticsearch
) -> None:
    runtime = long_titles
    alias = runtime.settings.index_alias
    trial = tune_bm25(runtime.tuning_parts(), OPTIONS)
    assert (trial.n_users, trial.n_queries, trial.n_verified) == (30, 30, 30)
    assert trial.is_change
    assert trial.best == trial.recommended != Bm25()
    assert trial.best.b < 0.75
    assert trial.verdict.startswith("Use k1=")
    assert live(runtime) == Bm25(), "tuning changes nothing that is live"
    report = show_trial(database.engine, trial.trial_no)
    assert len(report.points) > 60
    means = {(row["k1"], row["b"]): row["recall"] for row in report.points}
    assert means[1.2, 0.75] < means[trial.best.k1, trial.best.b] == max(means.values())
    overall = report.comparisons[0]
    assert (overall["candidate"], overall["reference"], overall["segment"]) == (
        "best",
        "defaults",
        "all",
    )
    assert overall["gain_low"] > 0
    assert overall["p_value"] < 0.05
    assert {row["segment"] for row in report.comparisons} >= {"history 1-4", "target in tail"}
    gained = [row for row in report.queries if row["direction"] == "gained"]
    assert len(gained) == 20
    for row in gained:
        assert row["title"].endswith("filler")
        assert row["rank_after"] < (row["rank_before"] or 101)
        assert row["item_id"][1:] == row["user_id"][1:]

    before = len(index_names(elastic, alias))
    promote_trial(runtime, trial, dry_run=True)
    assert live(runtime) == Bm25()
    promote_trial(runtime, trial)
    assert live(runtime) == trial.recommended
    assert len(index_names(elastic, alias)) == before, "the build that was proven is the one used"
    with database.engine.connect() as connection:
        reason = connection.execute(
            text("SELECT reason FROM audit WHERE action = 'index_bm25'")
        ).scalar_one()
    assert reason == f"trial {trial.trial_no}"
    with pytest.raises(UsageError, match="are live already"):
        promote_trial(runtime, trial)
    undo_bm25(runtime.engine, runtime.elastic, alias, actor="test", reason=None)
    assert live(runtime) == Bm25()


def test_no_gain_keeps_the_defaults_and_leaves_no_build(
    runtime: Runtime, database: Database, elastic: Elasticsearch
) -> None:
    before = index_names(elastic, runtime.settings.index_alias)
    trial = tune_bm25(runtime.tuning_parts(), OPTIONS)
    assert trial.verdict.startswith("Keep the defaults")
    assert (trial.recommended, trial.is_change) == (Bm25(), False)
    assert index_names(elastic, runtime.settings.index_alias) == before
    with pytest.raises(UsageError, match="changes nothing: Keep the defaults"):
        promote_trial(runtime, trial)
    if trial.best != Bm25():
        promote_trial(runtime, trial, force=True)
        assert live(runtime) == trial.best
    with database.analyst_engine.connect() as connection:
        rows = connection.execute(
            text("SELECT trial_id, is_change, verified_count FROM analytics.trials")
        ).all()
        points = connection.execute(text("SELECT count(*) FROM analytics.trial_points"))
        assert points.scalar_one() > 20
    assert [tuple(row) for row in rows] == [(trial.trial_no, False, trial.n_verified)]


def test_a_trial_of_another_catalog_or_other_live_values_is_not_promoted(
    long_titles: Runtime, database: Database
) -> None:
    runtime = long_titles
    trial = tune_bm25(runtime.tuning_parts(), OPTIONS)
    alias = runtime.settings.index_alias
    set_bm25(runtime.engine, runtime.elastic, alias, Bm25(2.5, 0.9), actor="test", reason=None)
    with pytest.raises(ConflictError, match=r"k1, b are 2.5, 0.9 now"):
        promote_trial(runtime, trial)
    undo_bm25(runtime.engine, runtime.elastic, alias, actor="test", reason=None)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET title = 'other' WHERE item_id = 't1'"))
        connection.execute(text("UPDATE catalog_state SET catalog_version = 2"))
    reindex(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    with pytest.raises(ConflictError, match="catalog or analyzer changed"):
        promote_trial(runtime, trial)
    promote_trial(runtime, trial, force=True)
    assert live(runtime) == trial.recommended


class InterruptedGenerator(TitlesGenerator):
    """A generator that counts prompts and interrupts after ``limit`` of them."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.asked = 0
        self._limit = limit

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        self.asked += len(prompts)
        if self.asked > self._limit:
            raise KeyboardInterrupt
        return super().generate(prompts, decoding)


def test_a_killed_tuning_goes_on_from_stored_queries(
    runtime: Runtime,
    database: Database,
    elastic: Elasticsearch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alias = runtime.settings.index_alias
    before = index_names(elastic, alias)
    monkeypatch.setattr("gpt4rec_es.lab.splits.queries._PROMPTS", 4)

    def parts(generator: TitlesGenerator) -> TuningParts:
        return TuningParts(runtime.engine, runtime.elastic, alias, lambda *_: generator, "test")

    first, second, third = (
        InterruptedGenerator(10),
        InterruptedGenerator(10_000),
        InterruptedGenerator(0),
    )
    with pytest.raises(KeyboardInterrupt):
        tune_bm25(parts(first), OPTIONS)
    # Another kill, during verification on the server
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "verify_hits", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tune_bm25(parts(second), OPTIONS)
    assert list_trials(database.engine) == []
    assert index_names(elastic, alias) == before
    assert alias_targets(elastic, alias) == before
    trial = tune_bm25(parts(third), OPTIONS)
    assert third.asked == 0
    assert first.asked + second.asked == trial.n_users + 4, "the batch that broke off came again"


def test_as_many_texts_are_verified_as_there_are_up_to_the_limit() -> None:
    texts = [f"t{n}" for n in range(1_900)]
    chosen = tuning._spread(texts, 1_000)
    assert len(set(chosen)) == 1_000
    assert chosen[0] == "t0"
    assert int(chosen[-1][1:]) > 1_890
    assert tuning._spread(texts[:3], 1_000) == texts[:3]


def test_another_answer_of_the_server_is_noticed(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = tuning.index_of_build

    def without_rare_terms(*arguments: object, **more: object) -> object:
        index = honest(*arguments, **more)  # type: ignore[arg-type]
        index.idf[:] = 1.0
        return index

    monkeypatch.setattr(tuning, "index_of_build", without_rare_terms)
    with pytest.raises(DataError, match="finds other items than were measured"):
        tune_bm25(runtime.tuning_parts(), OPTIONS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "other"}, "no split 'other'"),
        ({"generator": "other"}, "no generator 'other'"),
        ({"grid": "huge"}, "no grid 'huge'"),
        ({"k": 100_000}, "holds only"),
    ],
)
def test_what_cannot_be_tuned(runtime: Runtime, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tune_bm25(runtime.tuning_parts(), TuningOptions(**{"split": "loo", "k": 3, **change}))


def test_the_commands(
    shop: Shop,
    long_titles: Runtime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cli: Cli,
) -> None:
    shop.enter(monkeypatch)
    assert "Would measure 20 points" in cli("tune", "bm25", "loo", "--dry-run")
    assert cli.json("tune", "list") == []
    out = cli("tune", "bm25", "loo", "--metric", "recall@3")
    assert "Use k1=" in out
    assert "tune promote 1" in out
    assert "gpt4rec report tuning 1" in out
    page = Path(cli.json("report", "tuning", "1", "--output", str(tmp_path))["path"])
    surface = read_page(page.read_text("utf-8")).one("table", heat=None)
    measured = cells(surface)
    assert len(measured) >= 4
    assert [one for row in measured for one in row if one.endswith("live")]
    assert [one for row in measured for one in row if "best" in one]
    assert cli.json("tune", "list")[0]["n_users"] == 30
    shown = cli.json("tune", "show", "1")
    assert shown["trial"]["trial_no"] == 1
    assert "k1, b would be" in cli("tune", "promote", "1", "--dry-run")
    assert "k1, b are" in cli("tune", "promote", "1", "--reason", "measured")
    cli("index", "bm25", "undo")
    cli("tune", "show", "7", code=2)
    cli("tune", "bm25", "loo", "--metric", "luck@3", code=2)
    assert len(cli.json("tune", "list")) == 1


def test_queries_are_searched_as_nights_search_for_them(
    runtime: Runtime, database: Database
) -> None:
    options = replace(OPTIONS, grid="coarse", k=20)
    plain = tune_bm25(runtime.tuning_parts(), options)
    # Verification on the server used the same options, or there would be no trial.
    recipe = options.recipe.changed(search=SearchOptions("3"))
    trial = tune_bm25(runtime.tuning_parts(), replace(options, recipe=recipe))
    assert (plain.minimum_should_match, trial.minimum_should_match) == (None, "3")
    assert trial.n_verified == plain.n_verified > 20
    one, other = (show_trial(database.engine, t.trial_no).points for t in (plain, trial))
    # Queries of three words then find only their own titles, which were bought.
    assert min(row["recall"] for row in one) > 0 == max(row["recall"] for row in other)
    with database.analyst_engine.connect() as connection:
        shown = connection.execute(
            text("SELECT minimum_should_match FROM analytics.trials ORDER BY trial_id")
        )
        assert list(shown.scalars()) == ["1", "3"]
