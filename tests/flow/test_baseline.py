"""Trained baselines from the command line: killed, resumed, and measured on the test part."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gpt4rec_es.cli.main import run
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from tests.databases import Database
from tests.killed_training import check_killed_training_goes_on
from tests.servers import Servers
from tests.shop import Shop, make_shop


@pytest.fixture
def shop(
    servers: Servers,
    database: Database,
    alias: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    """A shop with an index and a split."""
    made = make_shop(servers, database, alias)
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


def test_baselines_are_trained_and_measured_together(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = call(capsys, "train", "baseline", "bpr_mf", "--split", "loo", "--epochs", "3")
    assert report["folder"] == ".models/bpr_mf-loo"
    assert [epoch["epoch"] for epoch in report["card"]["epochs"]] == [0, 1, 2]
    command = ["train", "baseline", "sasrec", "--split", "loo", "--name", "seq", "--epochs", "2"]
    command += ["--dim", "8,16", "--dropout", "0.1"]
    plan = call(capsys, *command, "--dry-run")
    assert plan["combinations"] == [{"dim": 8}, {"dim": 16}]
    assert (plan["epochs"], plan["folder"]) == (2, ".models/seq")
    assert plan["data"] == {name: report["card"]["data"][name] for name in plan["data"]}
    assert run([*command, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "would train sasrec, 2 epochs at most, and write .models/seq" in printed
    assert "  by dim 16\n" in printed
    assert [path.name for path in (tmp_path / ".models").iterdir()] == ["bpr_mf-loo"]
    assert run(command) == 0
    printed = capsys.readouterr().out
    assert "gpt4rec evaluate run loo --trained .models/seq" in printed
    (final,) = re.findall("`gpt4rec (train .*)`", printed)
    assert re.fullmatch(
        "train baseline sasrec --split loo --name seq-final --epochs [12] --learn-validation "
        "--dim (8|16) --dropout 0.1",
        final,
    )
    assert sorted(path.name for path in (tmp_path / ".models").iterdir()) == ["bpr_mf-loo", "seq"]
    measured = ("evaluate", "run", "loo", "--part", "test", "--k", "5")
    trained = ("--trained", ".models/bpr_mf-loo", "--trained", ".models/seq")
    popular, first, second = call(capsys, *measured, "--method", "popularity", *trained)
    assert [one["method"] for one in (popular, first, second)] == ["popularity", "bpr_mf", "sasrec"]
    assert first["options"]["baseline"]["content_hash"] == report["content_hash"]
    assert second["options"]["baseline"]["name"] == "seq"
    assert first["n_eval_users"] == second["n_eval_users"] == popular["n_eval_users"]
    for more in ((), ("--dry-run",)):
        assert run([*command, *more]) == 2
        assert "exists already" in capsys.readouterr().err
    assert run(["train", "baseline", "bpr_mf", "--split", "loo", "--blocks", "2"]) == 2
    assert "bpr_mf has no option blocks" in " ".join(capsys.readouterr().err.split())
    assert run(["evaluate", "run", "loo"]) == 2
    assert "There is no method." in capsys.readouterr().err
    assert run(final.split()) == 0
    capsys.readouterr()
    assert run(["evaluate", "run", "loo", "--trained", ".models/seq-final"]) == 2
    assert "learned from the validation part" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("method", ["bpr_mf", "sasrec"])
def test_a_killed_command_goes_on_and_ends_with_equal_weights(
    shop: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    method: str,
) -> None:
    command = ["train", "baseline", method, "--split", "loo", "--name", "x", "--json"]
    command += ["--epochs", "60", "--patience", "60", "--dim", "16", "--batch-size", "8"]
    card = check_killed_training_goes_on(shop, tmp_path, monkeypatch, capsys, command)["card"]
    # The epochs before the kill count.
    assert card["seconds"] == pytest.approx(sum(row["seconds"] for row in card["epochs"]), abs=0.1)
    assert card["threads"] == 1
    assert 100 < card["peak_memory_mb"] < 20_000
