"""Tuning of recipes on real servers: fitted, compared on other users, promoted, taken back."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks import default_recipe
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.index.reindex import reindex
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.tuning.lists.halves import plan_list_tuning
from gpt4rec_es.lab.tuning.lists.list_options import ListTuningOptions
from gpt4rec_es.lab.tuning.lists.promote import promote_list_trial, show_list_trial
from gpt4rec_es.lab.tuning.lists.search import Measuring
from gpt4rec_es.lab.tuning.lists.space import Setting
from gpt4rec_es.lab.tuning.lists.tune_lists import tune_lists
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.recipes.live import undo_use
from gpt4rec_es.recipes.shipped import shipped
from gpt4rec_es.reranking import registry
from gpt4rec_es.runtime import Runtime
from tests.commands import Cli
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop
from tests.vector_maker import TitleVectors, register

# A poor recipe: history titles alone, which find other styles than the user's.
POOR = NamedRecipe("poor", Recipe(fusion=Fusion((("history_titles", 1.0),))))
DEFAULT = shipped("default")


@pytest.fixture
def options(tmp_path: Path) -> ListTuningOptions:
    return ListTuningOptions(
        split="loo", live=POOR, base=DEFAULT, work=tmp_path / "work", k=5, trials=4
    )


@pytest.fixture
def shop(servers: Servers, database: Database, alias: str) -> Shop:
    """A shop with enough users to fit coefficients."""
    return make_shop(servers, database, alias, users=600)


@pytest.fixture
def runtime(shop: Shop) -> Runtime:
    runtime = shop.runtime()
    reindex(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    create_split(runtime.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    return runtime


def test_a_better_recipe_is_found_promoted_and_taken_back(
    runtime: Runtime, database: Database, options: ListTuningOptions
) -> None:
    parts = runtime.tuning_parts()
    trial = tune_lists(parts, options)
    assert trial.is_change
    assert "better than poor by more than chance" in trial.verdict
    assert (trial.generator, trial.n_fit_users + trial.n_test_users) == (None, 360)
    report = show_list_trial(runtime.engine, trial.trial_no)
    assert report is not None
    # The base as it is, then fitted settings, the first of them with the base's pairs.
    assert [row["is_fitted"] for row in report.settings] == [False] + [True] * 4
    base = Setting.of(DEFAULT.recipe).as_dict()
    for row in report.settings[:2]:
        assert {name: row[name] for name in base} == base
    assert not options.work.exists()
    of_all = [row for row in report.comparisons if row["segment"] == "all"]
    assert {row["n_users"] for row in of_all} == {trial.n_test_users}
    decides = {(row["k"], row["metric"]): row for row in of_all}[5, "ndcg"]
    # Segments by length of history are disjoint, so their gains add up to that of all users.
    lengths = [row for row in report.comparisons if row["segment"].startswith("history ")]
    assert sum(row["n_users"] for row in lengths) == trial.n_test_users
    summed = sum(row["gain"] * row["n_users"] for row in lengths) / trial.n_test_users
    assert summed == pytest.approx(decides["gain"])
    assert decides["gain"] == pytest.approx(decides["best_value"] - decides["live_value"])
    assert 0 < decides["gain_low"] < decides["gain"] < decides["gain_high"]
    with database.analyst_engine.connect() as connection:
        changes = connection.execute(
            text("SELECT changed_kind, changed_direction, users_before, users_now "
                 "FROM analytics.list_trial_changes WHERE trial_id = :n"), {"n": trial.trial_no},
        ).all()  # fmt: skip
    assert {row.changed_kind for row in changes} == {"item", "purchase"}  # neither has queries
    assert {row.changed_direction for row in changes} == {"gained", "lost"}
    for row in changes:
        assert (row.users_now > row.users_before) == (row.changed_direction == "gained")
    assert tune_lists(parts, options).document == trial.document  # by seed

    place = runtime.engine, runtime.elastic, runtime.settings.index_alias
    with pytest.raises(ConflictError, match="compared with 'poor'"):
        promote_list_trial(*place, trial, actor="test")
    dry = promote_list_trial(*place, trial, actor="test", force=True, dry_run=True)
    assert dry.before == "test"
    promote_list_trial(*place, trial, actor="test", force=True)
    live = runtime.recipe
    assert (live.name, live.recipe.content_hash) == (f"trial-{trial.trial_no}", trial.content_hash)
    undo_use(runtime.engine, actor="test", reason=None)
    assert runtime.recipe.name == "test"

    with database.analyst_engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT t.trial_id, live_recipe_name, count(setting_number) "
                "FROM analytics.list_trials AS t "
                "JOIN analytics.list_trial_settings USING (trial_id) GROUP BY 1, 2 ORDER BY 1"
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        (trial.trial_no, "poor", 5),
        (trial.trial_no + 1, "poor", 5),
    ]


def test_what_is_live_can_be_best(runtime: Runtime, options: ListTuningOptions) -> None:
    parts = runtime.tuning_parts()
    found = tune_lists(parts, options)
    best = NamedRecipe("best", Recipe(fusion=Fusion.from_dict(found.document["fusion"])))
    again = replace(options, live=best, base=best, trials=2)
    trial = tune_lists(parts, again)
    assert not trial.is_change
    assert "Keep best" in trial.verdict
    alias = runtime.settings.index_alias
    with pytest.raises(UsageError, match="changes nothing"):
        promote_list_trial(runtime.engine, runtime.elastic, alias, trial, actor="test")


def test_too_few_users_are_refused_before_work(
    runtime: Runtime, options: ListTuningOptions
) -> None:
    parts = runtime.tuning_parts()
    few = replace(options, most_users=150)
    with pytest.raises(UsageError, match="150 users of the validation part of 'loo' are too few"):
        plan_list_tuning(parts, few)


def test_the_commands(
    runtime: Runtime, shop: Shop, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shop.enter(monkeypatch)
    monkeypatch.chdir(tmp_path)
    cli("recipes", "use", "default", "--reason", "it needs no generator")
    plan = cli("tune", "lists", "loo", "--metric", "ndcg@5", "--dry-run")
    assert "180 users of loo (validation), with no queries" in plan
    assert cli.json("tune", "list") == []
    made = cli.json("tune", "lists", "loo", "--metric", "ndcg@5", "--trials", "2")
    assert list(tmp_path.iterdir()) == []
    number = made["trial"]["trial_no"]
    assert cli.json("tune", "show", str(number)) == made
    assert [row["trial_no"] for row in cli.json("tune", "list")] == [number]
    shown = cli("tune", "show", str(number))
    assert made["trial"]["verdict"].split(":")[0] in shown
    assert "users that were not used for choosing" in shown
    found = made["trial"]["document"]["fusion"]
    assert (
        f"The recipe found: candidates {found['candidates']}, history {found['history']}" in shown
    )
    assert "Recipes" in cli("tune", "list")
    change = cli.json("tune", "promote", str(number), "--force", "--dry-run")
    assert change["before"] == "default"
    cli("tune", "promote", str(number), "--force", "--reason", "a try")
    assert f"trial-{number}" in cli("recipes", "list")
    assert f"chosen by trial {number}" in cli("recipes", "show", f"trial-{number}")


def test_all_is_one_summary(
    runtime: Runtime,
    shop: Shop,
    database: Database,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    shop.enter(monkeypatch)
    monkeypatch.chdir(tmp_path)
    command = ["tune", "all", "loo", "--trials", "6"]
    cli("recipes", "use", "default", "--reason", "it needs no generator")
    plan = cli(*command, "--dry-run")
    assert "k1 and b are left out. No query generator is in use." in plan
    assert "Would choose among 6 settings on 180 users" in plan
    assert "About 1 min" in plan
    assert cli.json("tune", "list") == []
    use_titles(database)
    plan = cli.json(*command, "--dry-run")
    assert (plan["bm25"]["points"], plan["skipped"]) == (20, None)

    found = cli.json(*command)
    grid, recipe = found["summary"]
    assert (grid["subject"], grid["trial_no"]) == ("k1, b", found["bm25"]["trial"]["trial_no"])
    assert (recipe["subject"], recipe["live"]) == ("recipe", "default")
    against = found["bm25"]["comparisons"][0]
    assert grid["gain"] == against["gain"]
    decides = [
        row
        for row in found["lists"]["comparisons"]
        if (row["segment"], row["k"], row["metric"]) == ("all", 6, "ndcg")
    ]
    assert recipe["gain_low"] == decides[0]["gain_low"]
    # A setting of queries was tried, because they are written.
    assert found["lists"]["trial"]["generator"] == "titles"

    shown = cli(*command)
    for outcome in found["summary"]:
        assert outcome["verdict"] in " ".join(shown.split())
    number = recipe["trial_no"] + 2  # each run stores two trials
    changed = recipe["is_change"]
    assert (f"gpt4rec tune promote {number}" in shown) == changed
    assert ("Nothing to change" in shown) == (not changed and not grid["is_change"])


def test_coefficients_of_several_shops_are_fitted_together(
    runtime: Runtime,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop.enter(monkeypatch)
    url, alias = shop.environ["DATABASE_URL"], shop.environ["GPT4REC_INDEX_ALIAS"]
    default_recipe.main([f"{url},{alias},loo", f"{url},{alias},loo", "--users", "300"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    # Twice the same shop: its own fit, that of both, and that of the other are the same.
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells[:2] == [alias, "150"]
    assert cells[3] == cells[4] == cells[5]
    assert float(cells[3].split(",")[0]) > float(cells[2].split(",")[0])


def test_a_killed_tuning_goes_on_with_an_equal_result(
    runtime: Runtime,
    shop: Shop,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    shop.enter(monkeypatch)
    cli("recipes", "use", "default", "--reason", "it needs no generator")
    command = ["tune", "lists", "loo", "--metric", "ndcg@5", "--trials", "12"]
    work = tmp_path / "work"
    with subprocess.Popen(
        [sys.executable, "-m", "gpt4rec_es", *command, "--work", str(work)],
        env={**os.environ, **shop.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        end = time.monotonic() + 60
        while not (work / "settings.json").exists():
            assert time.monotonic() < end, "nothing was measured in time"
            time.sleep(0.01)
        process.kill()
    # Files of arrays have no names, so none is left.
    known = {path.name for path in work.iterdir()} - {"settings.draft"}
    assert known == {"fingerprint", "lock", "settings.json"}
    n_measured = len(json.loads((work / "settings.json").read_text()))
    assert 1 <= n_measured < 12
    refused = cli.error(*command, "--seed", "1", "--work", str(work), code=2)
    assert "unfinished tuning with other options or data" in refused

    measured: list[Setting] = []
    value = Measuring.value

    def counted(self: Measuring, setting: Setting) -> float:
        measured.append(setting)
        return value(self, setting)

    monkeypatch.setattr(Measuring, "value", counted)
    resumed = cli.json(*command, "--work", str(work))
    assert len(measured) == 12 - n_measured
    assert not work.exists()
    alone = cli.json(*command, "--work", str(tmp_path / "other"))
    without = {"trial_no", "seconds", "tuned_at"}
    same = [
        {name: it for name, it in one["trial"].items() if name not in without}
        for one in (resumed, alone)
    ]
    assert same[0] == same[1]
    values = [[row["value"] for row in one["settings"]] for one in (resumed, alone)]
    assert values[0] == values[1]


RERANKED = NamedRecipe(
    "reranked",
    Recipe(
        fusion=replace(
            DEFAULT.recipe.fusion, coefficients=(*DEFAULT.recipe.fusion.coefficients, ("rerank", 1))
        ),
        reranker="old",
    ),
)


def test_a_re_ranker_of_another_split_is_refused_or_replaced_before_any_work(
    runtime: Runtime,
    database: Database,
    options: ListTuningOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The live recipe was tuned with a re-ranker that has seen this split's held-out items."""
    monkeypatch.setattr(registry, "open_registered", lambda *_: TitleVectors())
    split, _ = load_split(runtime.engine, "loo")
    with database.engine.begin() as connection:
        register(connection, "old", card={"data": {"split_hash": "another"}})
        register(connection, "new", card={"data": {"split_hash": split.content_hash}})
    parts = runtime.tuning_parts()
    live = replace(options, live=RERANKED, base=RERANKED)
    for one in (live, replace(live, reranker="old")):
        with pytest.raises(UsageError, match="'old' was not trained on the split 'loo'"):
            plan_list_tuning(parts, one)
    with pytest.raises(UsageError, match="no re-ranker 'none'"):
        plan_list_tuning(parts, replace(live, reranker="none"))
    trial = tune_lists(parts, replace(live, reranker="new", trials=2))
    assert "reranked is measured with new in place of its own re-ranker, old" in trial.verdict
    for what in ("of the re-ranker new as a feature alone", "the best items of new as a source"):
        assert f"{what} are " in trial.verdict
    takes_part = trial.verdict.count("are left out") < 2
    assert trial.document.get("reranker") == ("new" if takes_part else None)
    # The settings were chosen without it, from a base without the live one's part.
    report = show_list_trial(runtime.engine, trial.trial_no)
    assert report is not None
    assert [row["has_reranker"] for row in report.settings] == [False] * 3 + [True] * 2
    assert [row["has_sequence"] for row in report.settings] == [False] * 4 + [True]
