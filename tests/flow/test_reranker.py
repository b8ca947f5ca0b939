"""A re-ranker from the command line: trained on a split, measured on its test part."""

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import runs
from gpt4rec_es.db.rows.lists import load_newest
from gpt4rec_es.db.rows.metadata import load_attributes
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.errors import ConflictError, DataError, UsageError
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
from gpt4rec_es.lab.evaluation.nearest_titles import chosen_encoder
from gpt4rec_es.lab.evaluation.rerank_vectors import chosen_reranker
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.training.reranker_data import read_reranker_data
from gpt4rec_es.lab.training.train_reranker import TrainedReranker
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.item_vectors import (
    ensure_item_vectors,
    load_item_vectors,
    load_run_items,
    load_run_vectors,
)
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.reranking.registry import open_registered, show_reranker
from tests.databases import Database
from tests.encoders import save_tiny_gpt2
from tests.flow.conftest import use_generator, use_titles
from tests.killed_training import check_killed_training_goes_on
from tests.servers import Servers
from tests.shop import Shop, make_shop, use_recipe

QUICK = ("--epochs", "2", "--dim", "16", "--lr", "0.005", "--batch-size", "32")


@pytest.fixture(scope="module")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_gpt2(tmp_path_factory.mktemp("gpt2") / "tiny", context=256)


@pytest.fixture
def shop(
    servers: Servers,
    database: Database,
    alias: str,
    gpt2_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    """A shop with metadata of items and users, an index, a split, and a GPT-2."""
    use_generator(database, "gpt2", gpt2_folder)
    made = make_shop(servers, database, alias)
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE items SET price = item_no % 7, brand = 'one brand', "
                "category = 'home > ' || split_part(title, ' ', 1)"
            )
        )
        connection.execute(
            text(
                "UPDATE users SET attributes = jsonb_build_object("
                "'gender', substr('FM', 1 + user_no % 2, 1), 'name', 'x') "
                "WHERE user_no % 3 > 0"
            )
        )
    runtime = made.runtime()
    ensure_current(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    create_split(runtime.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    runtime.close()
    made.enter(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return made


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_data_of_a_split(shop: Shop) -> None:
    engine = shop.runtime().engine
    read = read_reranker_data(engine, "loo")
    # The one brand and the root of the category say nothing.
    assert read.data.items.fields == ("title", "price", "category level 2")
    assert read.data.users is not None
    assert read.data.users.fields == ("gender",)
    assert "name" not in " ".join(read.data.users.texts)
    assert read.data.items.texts[1].startswith("price: ")
    _, split = load_split(engine, "loo")
    assert len(read.data.histories) == len(split.train)
    numbers = {index: item for item, index in read.items.items()}
    for user_no, index in read.users.items():
        assert [numbers[i] for i in read.data.histories[index]] == list(split.train[user_no])
    held_out = {one.user_no: set(one.targets) for one in (*split.validation, *split.test)}
    assert not any(
        held_out.get(user_no, set()) & {numbers[i] for i in read.data.histories[index]}
        for user_no, index in read.users.items()
    )


@pytest.mark.parametrize("preset", ["fast", "hybrid"])
def test_a_reranker_is_trained_and_measured(
    shop: Shop, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], preset: str
) -> None:
    command = ("train", "reranker", "--name", "first", "--split", "loo", "--preset", preset)
    report = call(capsys, *command, *QUICK, "--trust")
    assert report["card"]["data"]["item_fields"] == ["title", "price", "category level 2"]
    assert {row["phase"] for row in report["card"]["epochs"]} == (
        {"cached"} if preset == "fast" else {"cached", "dynamic"}
    )
    folder = tmp_path / ".models" / "first"
    assert [path.name for path in folder.parent.iterdir()] == ["first"]
    measured = ("evaluate", "run", "loo", "--trained", str(folder))
    popular, first = call(capsys, *measured, "--method", "popularity", "--part", "test")
    assert first["method"] == "reranker"
    assert first["options"]["reranker"]["content_hash"] == report["content_hash"]
    assert first["options"]["reranker"]["preset"] == preset
    assert first["n_eval_users"] == popular["n_eval_users"]
    with transaction(shop.runtime().engine) as connection:
        rows = connection.execute(
            text(
                "SELECT user_no, item_nos FROM evaluation_lists WHERE evaluation_no = :n AND k=10"
            ),
            {"n": first["evaluation_no"]},
        ).all()
    _, split = load_split(shop.runtime().engine, "loo")
    known = {one.user_no: set(one.history) for one in split.test}
    for row in rows:
        assert len(row.item_nos) == 10
        assert not set(row.item_nos) & known[row.user_no]
    # Nothing but the lists: the text form, and again into the same folder.
    assert run([*command, *QUICK, "--trust"]) == 2
    assert "exists already" in capsys.readouterr().err
    other = ["--trust", "--output", str(tmp_path / "second")]
    assert run([*command, *QUICK, *other]) == 2
    assert "'first' with other content exists already" in capsys.readouterr().err
    by_number = ("--name", "numbers", "--user-mode", "both")
    assert run([*command, *by_number, *QUICK, *other]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "gpt4rec evaluate run loo --trained" in said
    assert "It is not registered" in said
    assert [row["name"] for row in call(capsys, "rerankers", "list")] == ["first"]


def test_a_night_by_a_recipe_with_a_trained_reranker(
    shop: Shop,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train = ("train", "reranker", "--name", "first", "--split", "loo", "--preset", "no-finetune")
    call(capsys, *train, *QUICK, "--trust")
    fusion = Fusion(
        (("history_titles", 1.0), ("co_purchase", 1.0)),
        method="learned",
        coefficients=(("title_recent", 1), ("rerank", 0.5)),
    )
    document = Recipe(fusion=fusion, reranker="first").as_document()
    (tmp_path / "it.json").write_text(json.dumps(document))
    assert run(["recipes", "import", "it.json", "--name", "mine", "--reason", "a test"]) == 0
    other = {**document, "reranker": "second"}
    (tmp_path / "other.json").write_text(json.dumps(other))
    assert run(["recipes", "import", "other.json", "--name", "other", "--reason", "a test"]) == 0
    assert run(["recipes", "use", "other", "--reason", "a test"]) == 2
    assert "There is no re-ranker 'second'. There are: first." in capsys.readouterr().err
    assert run(["recipes", "use", "mine", "--reason", "a test"]) == 0
    assert run(["night"]) == 0
    with database.engine.connect() as connection:
        user_id, scored = connection.execute(
            text(
                "SELECT user_id, count(*) FROM analytics.latest_recommendations "
                "WHERE rerank_score IS NOT NULL GROUP BY user_id ORDER BY user_id LIMIT 1"
            )
        ).one()
    capsys.readouterr()
    found = call(capsys, "why", user_id, "--fields")
    assert found["reranker"] == "first"
    assert len(found["items"]) == scored
    assert {field["field"] for item in found["items"] for field in item["fields"]} <= {
        "title",
        "price",
        "category level 2",
    }
    assert run(["why", user_id, "--fields"]) == 0
    printed = capsys.readouterr().out
    assert "effect: what the score loses without it" in printed
    verdicts = {item["is_explanation"] for item in found["items"] if item["agreement"] is not None}
    assert ("Weights agree with the effects" in printed) == (True in verdicts)
    assert ("Weights are no explanation" in printed) == (False in verdicts)
    assert run(["why", user_id, "--fields", "--item", "x"]) == 2
    capsys.readouterr()
    # The split of its training measures the recipe; another one is refused.
    measured = ("evaluate", "run", "loo", "--method", "product", "--part", "validation")
    (by_recipe,) = call(capsys, *measured, "--recipe", "mine")
    assert by_recipe["options"]["reranker"]["name"] == "first"
    assert run(["rerankers", "add", "again", "--folder", str(tmp_path / ".models" / "first")]) == 0
    capsys.readouterr()
    (by_name,) = call(capsys, *measured, "--recipe", "mine", "--reranker", "again")
    assert by_name["options"]["reranker"]["name"] == "again"
    assert by_name["metrics"] == by_recipe["metrics"]
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("GPT4REC_DEVICE", "tpu")
        assert run([*measured, "--recipe", "mine"]) == 2
    assert "'tpu' is no device" in capsys.readouterr().err
    create_split(shop.runtime().engine, "whole-users", SplitOptions("users"), actor="test")
    assert run(["evaluate", "run", "whole-users", "--method", "product", "--recipe", "mine"]) == 2
    assert "was not trained on the split" in " ".join(capsys.readouterr().err.split())


def test_a_reranker_that_learned_from_the_validation_part_is_measured_on_the_test_alone(
    shop: Shop, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ("train", "reranker", "--split", "loo", "--trust", *QUICK)
    part = call(capsys, *train, "--name", "part", "--preset", "fast")["card"]
    report = call(capsys, *train, "--name", "more", "--preset", "fast", "--learn-validation")
    card = report["card"]
    assert card["data"]["purchases"] > part["data"]["purchases"]
    assert card["validation_ndcg"] is None
    assert [row["ndcg"] for row in card["epochs"]] == [None, None]  # all of --epochs
    folder = str(tmp_path / ".models" / "more")
    (measured,) = call(capsys, "evaluate", "run", "loo", "--trained", folder, "--part", "test")
    assert measured["n_eval_users"] > 0
    lines = {one["label"]: one for one in call(capsys, "evaluate", "table", "loo")["lines"]}
    cost = lines["reranker more"]["cost"]
    assert cost["training_minutes"] == pytest.approx(card["seconds"] / 60)
    assert cost["peak_memory_mb"] == card["peak_memory_mb"] > 100
    assert run(["evaluate", "run", "loo", "--trained", folder, "--part", "validation"]) == 2
    assert "learned from the validation part" in " ".join(capsys.readouterr().err.split())
    split, _ = load_split(shop.runtime().engine, "loo")
    engine = shop.runtime().engine
    assert chosen_reranker(engine, split, "test", "more").name == "more"
    with pytest.raises(UsageError, match="'more' learned from the validation part"):
        chosen_reranker(engine, split, "validation", "more")
    # So with its item tower as an encoder of titles.
    call(capsys, "encoders", "add", "tower", "--reranker", "more")
    assert chosen_encoder(engine, split, "test", "tower").source == "more"
    with pytest.raises(UsageError, match="'more' learned from the validation part"):
        chosen_encoder(engine, split, "validation", "tower")
    assert chosen_encoder(engine, split, "validation", "tower", trust=True).dims == 16
    assert run(["rerankers", "show", "more"]) == 0


def test_rerankers_are_registered_and_shown(
    shop: Shop, gpt2_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("train", "reranker", "--split", "loo", "--gpt2", "../gpt2", *QUICK)
    shutil.copytree(gpt2_folder, tmp_path.parent / "gpt2", dirs_exist_ok=True)
    call(capsys, *command, "--name", "first", "--preset", "hybrid")
    (row,) = call(capsys, "rerankers", "list")
    folder = tmp_path / ".models" / "first"
    assert (row["name"], row["path"], row["width"]) == ("first", str(folder), 17)
    # A night may start in another folder.
    assert row["gpt2"] == str((tmp_path.parent / "gpt2").resolve())
    assert run(["rerankers", "list"]) == 0
    assert run(["rerankers", "show", "first"]) == 0
    said = capsys.readouterr().out
    assert str(folder) in said
    assert "title, price, category level 2" in said
    add = ("rerankers", "add", "second", "--folder", str(folder))
    assert call(capsys, *add, "--dry-run")["reranker"] is None
    assert len(call(capsys, "rerankers", "list")) == 1
    assert call(capsys, *add)["reranker"]["content_hash"] == row["content_hash"]
    assert run(list(add)) == 0
    assert "second is registered." in capsys.readouterr().out
    with transaction(shop.runtime().engine) as connection:
        actions = connection.execute(text("SELECT object FROM audit WHERE action = 'reranker_add'"))
        assert sorted(actions.scalars()) == ["first", "second"]
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    for _ in range(2):  # the second time nothing changes
        call(
            capsys, "rerankers", "add", "second", "--folder", str(moved), "--gpt2", str(gpt2_folder)
        )
    with transaction(shop.runtime().engine) as connection:
        moves = connection.execute(
            text("SELECT object, before, after FROM audit WHERE action = 'reranker_move'")
        )
        assert [tuple(move) for move in moves] == [
            (
                "second",
                {"path": str(folder), "gpt2": row["gpt2"]},
                {"path": str(moved), "gpt2": str(gpt2_folder.resolve())},
            )
        ]
    assert call(capsys, "rerankers", "remove", "second", "--dry-run")["dry_run"]
    assert run(["rerankers", "remove", "second"]) == 0
    assert "second is removed, with 0 vectors of items" in capsys.readouterr().out
    assert moved.is_dir()
    call(capsys, *command, "--name", "numbers", "--user-mode", "id", "--preset", "fast")
    assert run(["rerankers", "add", "n", "--folder", str(tmp_path / ".models" / "numbers")]) == 2
    assert "has user mode 'id'" in " ".join(capsys.readouterr().err.split())
    assert run(["rerankers", "show", "n"]) == 2
    assert "There are: first." in capsys.readouterr().err
    merge = ("rerankers", "merge", str(folder), "merged")
    assert call(capsys, *merge, "--dry-run")["content_hash"] is None
    assert not (tmp_path / "merged").exists()
    merged = call(capsys, *merge)
    assert open_checkpoint(tmp_path / "merged").content_hash == merged["content_hash"]
    assert merged["difference"] < 1e-3
    assert run(list(merge)) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_night_uses_the_trained_reranker(
    shop: Shop, database: Database, gpt2_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("train", "reranker", "--name", "first", "--split", "loo", "--user-mode", "history")
    call(capsys, *command, *QUICK, "--gpt2", str(gpt2_folder))
    fusion = Fusion(
        (("history_titles", 1.0),),
        method="learned",
        coefficients=(("title_recent", 1.0), ("rerank", 2.0)),
        history=2,
    )
    with database.engine.begin() as connection:
        use_recipe(connection, "reranked", Recipe(fusion=fusion, reranker="first"))
    runtime = shop.runtime()
    parts, options = runtime.night_parts(), runtime.night_options()
    assert run_night(parts, options, dt.date(2026, 11, 22)).state == "published"
    with transaction(runtime.engine) as connection:
        run_row = runs.load(connection, 1)
        items = load_run_items(connection, run_row)
        found = load_run_vectors(connection, run_row, list(range(1, 41)), items)
        newest = load_newest(connection, 1, list(found.users))
        known = load_attributes(connection, list(found.users))
        moved = connection.execute(
            text("SELECT count(*) FROM recommendations WHERE merge_rank <> rank")
        ).scalar_one()
    assert len(found.users) == 39
    assert moved > 0
    opened = open_registered(show_reranker(runtime.engine, "first"))
    places = {int(item): place for place, item in enumerate(items.item_nos)}
    expected = opened.user_vectors(
        [[places[item] for item in newest[user]] for user in found.users],
        items.vectors,
        [known.get(user, {}) for user in found.users],
    )
    assert max(len(newest[user]) for user in found.users) > 2
    stored = np.array(list(found.users.values()))
    assert (stored == expected).all()
    assert len(np.unique(stored, axis=0)) > 20


def test_registered_rerankers_are_opened_unchanged(
    shop: Shop, gpt2_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("train", "reranker", "--name", "first", "--split", "loo", "--preset", "fast")
    call(capsys, *command, *QUICK, "--gpt2", str(gpt2_folder))
    runtime, folder = shop.runtime(), tmp_path / ".models" / "first"
    row = show_reranker(runtime.engine, "first")
    opened = runtime.reranker(row)
    assert opened is runtime.reranker(row)
    assert (opened.width, opened.history_length) == (row.width, row.history_length)
    version = ensure_item_vectors(runtime.engine, row, opened)
    with transaction(runtime.engine) as connection:
        vectors = load_item_vectors(connection, row.reranker_no, version)
    assert len(vectors.item_nos) == len(json.loads((folder / "items.json").read_text()))
    (folder / "items.json").write_text("[]")
    with pytest.raises((ConflictError, UsageError)):
        open_registered(row)
    shutil.rmtree(folder)
    with pytest.raises(UsageError, match="is gone"):
        open_registered(row)


def test_what_does_not_fit_is_refused(
    shop: Shop,
    database: Database,
    gpt2_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["train", "reranker", "--name", "first", "--split", "loo", *QUICK]
    assert run(command) == 2
    assert "may have seen what is held out" in " ".join(capsys.readouterr().err.split())
    assert run([*command, "--gpt2", str(gpt2_folder), "--generator", "gpt2"]) == 2
    assert "two GPT-2s" in capsys.readouterr().err
    use_titles(database)
    assert run(command) == 2
    assert "has no GPT-2" in capsys.readouterr().err
    assert run([*command, "--gpt2", str(gpt2_folder), "--preset", "fast"]) == 0
    engine = shop.runtime().engine
    create_split(engine, "whole-users", SplitOptions("users"), actor="test")
    folder = tmp_path / ".models" / "first"
    with pytest.raises(UsageError, match="was not trained on the split"):
        TrainedReranker(engine, "whole-users", folder)
    with pytest.raises(UsageError, match="no method"):
        EvaluateOptions(())
    with pytest.raises(UsageError, match="no method 'reranker'"):
        EvaluateOptions(("reranker",), trained=(folder,))
    with pytest.raises(UsageError, match="uses --reranker"):
        EvaluateOptions(("popularity",), reranker="first")
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET title = title || ' new' WHERE item_no = 3"))
    with pytest.raises(UsageError, match="another catalog"):
        TrainedReranker(engine, "loo", folder)


def test_a_split_without_validation_is_refused(shop: Shop, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM split_eval_users WHERE part = 'validation'"))
    with pytest.raises(DataError, match="no validation users"):
        read_reranker_data(shop.runtime().engine, "loo")


def test_users_that_training_never_saw(
    shop: Shop, gpt2_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = shop.runtime().engine
    create_split(engine, "whole-users", SplitOptions("users"), actor="test")
    assert set(read_reranker_data(engine, "whole-users").validation.users) == {-1}
    folder = str(tmp_path / "history")
    command = ("train", "reranker", "--name", "h", "--split", "whole-users", "--output", folder)
    call(capsys, *command, *QUICK, "--gpt2", str(gpt2_folder), "--user-mode", "history")
    measured = ("evaluate", "run", "whole-users", "--trained", folder)
    (report,) = call(capsys, *measured, "--k", "5", "--part", "test")
    assert report["n_eval_users"] > 0


def test_a_killed_command_goes_on_and_ends_with_equal_weights(
    shop: Shop,
    gpt2_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["train", "reranker", "--name", "x", "--split", "loo", "--gpt2", str(gpt2_folder)]
    command += ["--preset", "hybrid", "--epochs", "6", "--patience", "6", "--dim", "16", "--json"]
    check_killed_training_goes_on(shop, tmp_path, monkeypatch, capsys, command, "--name", "whole")
