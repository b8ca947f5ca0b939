"""Training by command on a filled database: killed, resumed, with held-out data."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run
from gpt4rec_es.encoders import folder as folders
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.generation.options import TrainingOptions
from gpt4rec_es.generation.registry import list_generators
from gpt4rec_es.lab.splits.held_out import HeldOut, read_held_out_lists
from gpt4rec_es.lab.training.dataset import Histories
from gpt4rec_es.lab.training.train_generator import (
    plan_training,
    read_training_data,
    train_generator,
)
from tests.databases import Database
from tests.servers import Servers
from tests.shop import make_shop

OPTIONS = TrainingOptions(
    vocab_size=400,
    epochs=6,
    lr=2e-3,
    pairs="every-prefix",
    pretrain_epochs=4,
    pretrain_lr=3e-3,
    batch_size=16,
    device="cpu",
    threads=1,
)
ARGUMENTS = [
    *("--preset", "paper"),
    *("--vocab-size", "400", "--epochs", "6", "--lr", "2e-3", "--pairs", "every-prefix"),
    *("--pretrain-epochs", "4", "--pretrain-lr", "3e-3", "--batch-size", "16"),
]


@pytest.fixture
def environ(servers: Servers, database: Database) -> dict[str, str]:
    """A shop of 41 users with 120 purchases of 60 items."""
    shop = make_shop(servers, database, "items-train", users=41)
    return {**os.environ, **shop.environ, "GPT4REC_DEVICE": "cpu", "GPT4REC_THREADS": "1"}


def gpt4rec(environ: dict[str, str], cwd: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gpt4rec_es", *arguments],
        env={**environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def titles_of(histories: Histories) -> list[list[str]]:
    return [[histories.titles[number] for number in titles] for _, titles in histories]


def test_a_killed_training_goes_on_and_ends_with_equal_weights(
    database: Database,
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = train_generator(
        database.engine, OPTIONS, name="whole", output=tmp_path / "whole", actor="test"
    )
    arguments = ("train", "generator", "--name", "tiny", "--no-use", *ARGUMENTS, "--json")
    first = gpt4rec(environ, tmp_path, *arguments)
    work = tmp_path / ".models" / ".tiny.training"
    end = time.monotonic() + 120
    while not list(work.glob("pairs/checkpoint-*/trainer_state.json")):
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not (tmp_path / ".models" / "tiny").exists()
    # State after a kill during the writing of a checkpoint.
    half = work / "pairs" / "checkpoint-9999"
    half.mkdir()
    (half / "trainer_state.json").touch()

    # In this process, where torch is imported.
    monkeypatch.chdir(tmp_path)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    assert run([*arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["content_hash"] == whole.content_hash
    assert report["card"]["phases"] == whole.card["phases"]
    assert [path.name for path in (tmp_path / ".models").iterdir()] == ["tiny"]
    rows = {row.name: row for row in list_generators(database.engine)}
    assert (rows["whole"].is_current, rows["tiny"].is_current) == (True, False)
    assert rows["tiny"].path == str(tmp_path / ".models" / "tiny")
    assert rows["tiny"].card["options"]["seed"] == 1


def test_a_folder_for_everyone(database: Database, environ: dict[str, str], tmp_path: Path) -> None:
    options = TrainingOptions(
        vocab_size=400, epochs=1, pretrain_epochs=0, device="cpu", threads=1, max_steps=1
    )
    report = train_generator(
        database.engine, options, name="a", output=tmp_path / "a", actor="test", use=False
    )
    assert not report.is_current
    card = (tmp_path / "a" / "README.md").read_text()
    assert "users:" in card
    assert report.card["code_version"] in card
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - slow to import

    network = AutoModelForCausalLM.from_pretrained(tmp_path / "a")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "a")
    assert network.config.vocab_size == len(tokenizer)
    assert network.generation_config.num_beams == 20
    assert network.generation_config.eos_token_id == tokenizer.eos_token_id
    assert folders.open_checkpoint(tmp_path / "a").content_hash == report.content_hash

    again = TrainingOptions(
        start=str(tmp_path / "a"), epochs=1, batch_size=8, device="cpu", threads=1
    )
    more = train_generator(
        database.engine, again, name="b", output=tmp_path / "b", actor="test", use=True
    )
    assert more.is_current
    assert list(more.card["phases"]) == ["pairs"]
    assert more.content_hash != report.content_hash
    with pytest.raises(UsageError, match="exists already"):
        train_generator(
            database.engine, again, name="c", output=tmp_path / "b", actor="test", use=True
        )
    with pytest.raises(UsageError, match="with other content"):
        train_generator(
            database.engine, again, name="b", output=tmp_path / "c", actor="test", use=True
        )


def test_limits_stop_cleanly(database: Database, environ: dict[str, str], tmp_path: Path) -> None:
    options = TrainingOptions(
        vocab_size=400, epochs=500, pretrain_epochs=500, device="cpu", threads=1, max_minutes=0.05
    )
    report = train_generator(
        database.engine, options, name="a", output=tmp_path / "a", actor="test"
    )
    for phase in report.card["phases"].values():
        assert 0 < phase["steps"] < phase["planned_steps"]
    assert (tmp_path / "a" / "model.safetensors").is_file()


def test_held_out_users_and_purchases_are_not_learnt(
    database: Database, environ: dict[str, str], tmp_path: Path
) -> None:
    everything = read_training_data(database.engine, HeldOut(), 0.0)
    (tmp_path / "users").write_text("user_id\nu004\nu009\nunknown\n")
    (tmp_path / "events.csv").write_text("user_id,item_id,note\nu003,i051,\nu003,nothing,\n")
    with database.engine.connect() as connection:
        u003, u004 = (
            set(
                connection.execute(
                    text(
                        "SELECT item_id FROM interactions JOIN users USING (user_no) "
                        "JOIN items USING (item_no) WHERE user_id = :id"
                    ),
                    {"id": user_id},
                ).scalars()
            )
            for user_id in ("u003", "u004")
        )
    held = sorted(u003)[0]
    (tmp_path / "events.csv").write_text(f"user_id,item_id,note\nu003,{held},\nu003,nothing,\n")
    held_out = read_held_out_lists(tmp_path / "users", tmp_path / "events.csv")
    data = read_training_data(database.engine, held_out, 0.0)
    assert data.facts["held_out_users"] == 2
    assert data.facts["held_out_purchases"] == 1
    assert data.facts["purchases"] == len(data.histories.flat)
    assert len(everything.histories.flat) - len(data.histories.flat) == 1 + len(u004) + 5
    kept = titles_of(data.histories)
    removed = [history for history in titles_of(everything.histories) if history not in kept]
    assert len(removed) == 3  # two users, and one with a missing purchase


def test_users_kept_back_for_validation_are_the_same_next_time(
    database: Database, environ: dict[str, str]
) -> None:
    first = read_training_data(database.engine, HeldOut(), 0.2)
    second = read_training_data(database.engine, HeldOut(), 0.4)
    assert 0 < first.facts["validation_users"] < second.facts["validation_users"]
    assert first.facts["users"] + first.facts["validation_users"] == 40
    assert all(history in titles_of(second.validation) for history in titles_of(first.validation))


def test_what_cannot_be_learnt_is_left_out(database: Database, environ: dict[str, str]) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET title = NULL WHERE item_id = 'i001'"))
        connection.execute(text("UPDATE items SET title = repeat('x', 401) WHERE item_id = 'i002'"))
    data = read_training_data(database.engine, HeldOut(), 0.0)
    assert data.facts["purchases_without_learnable_title"] > 0
    assert data.facts["catalog_titles"] == len(data.catalog_titles) == 58
    assert not any(title.startswith("xxx") for title in data.histories.titles)


def test_nothing_to_learn(database: Database, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no user"):
        train_generator(
            database.engine, OPTIONS, name="a", output=tmp_path / "a", actor="test", use=True
        )
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO users (user_id) VALUES ('u')"))
        connection.execute(text("INSERT INTO items (item_id, title, version) VALUES ('i','t',1)"))
    with pytest.raises(DataError, match="No user has bought two items"):
        train_generator(
            database.engine, OPTIONS, name="a", output=tmp_path / "a", actor="test", use=True
        )
    assert list_generators(database.engine) == []


def test_a_held_out_list_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "users").write_bytes(b"\xff\xfe")
    for name in ("users", "missing"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_held_out_lists(tmp_path / name, None)
    assert read_held_out_lists(None, None) == HeldOut()


def test_held_out_lists_without_a_known_user_are_refused(
    database: Database, environ: dict[str, str]
) -> None:
    with pytest.raises(DataError, match="name no user or purchase"):
        read_training_data(database.engine, HeldOut(frozenset({"U004"})), 0.0)


def test_an_unfinished_training_of_something_else_is_not_thrown_away(
    database: Database, environ: dict[str, str], tmp_path: Path
) -> None:
    work = tmp_path / ".a.training"
    work.mkdir()
    (work / "fingerprint").write_text("of other data")
    (work / "state.pt").write_text("a state")
    with pytest.raises(UsageError, match="unfinished training with other options"):
        plan_training(database.engine, OPTIONS, "a", tmp_path / "a", None, 0.0)
    with pytest.raises(UsageError, match="unfinished training with other options"):
        train_generator(
            database.engine, OPTIONS, name="a", output=tmp_path / "a", actor="test", use=True
        )


def test_a_plan_says_what_would_be_learnt(
    database: Database, environ: dict[str, str], tmp_path: Path
) -> None:
    options = TrainingOptions(pairs="every-prefix", newest_pairs=2)
    plan = plan_training(database.engine, options, "a", tmp_path / "a", HeldOut(), 0.0)
    lengths = [
        len(titles)
        for titles in titles_of(read_training_data(database.engine, HeldOut(), 0.0).histories)
    ]
    assert plan["data"]["pairs"] == sum(min(2, n - 1) for n in lengths)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "generator"], 2, "Missing option '--name'"),
        (["train", "generator", "--name", "a", "--size", "huge"], 2, "Invalid value for '--size'"),
        (
            ["train", "generator", "--name", "a", "--epochs", "0", "--pretrain-epochs", "0"],
            2,
            "nothing to train",
        ),
        (["train", "generator", "--name", "a", "--start", "./none"], 2, "no checkpoint folder"),
        (["generators", "use", "none"], 2, "There is no generator 'none'"),
        (["generators", "add", "a", "."], 2, "is no checkpoint"),
    ],
)
def test_mistakes_are_one_line(
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_generators_on_the_command_line(
    environ: dict[str, str],
    trained_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    assert run(["generators", "list"]) == 0
    assert run(["generators", "add", "tiny", str(trained_folder)]) == 0
    assert run(["generators", "add-titles"]) == 0
    assert run(["generators", "use", "tiny", "--dry-run"]) == 0
    assert run(["generators", "use", "titles"]) == 0
    said = capsys.readouterr().out
    assert "tiny would be used by the next night." in said
    assert "titles is used by the next night." in said
    assert run(["generators", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["is_current"]) for row in listed] == [
        ("tiny", False),
        ("titles", True),
    ]
    assert run(["train", "generator", "--name", "new", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["data"]["users"] > 30
