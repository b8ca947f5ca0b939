"""A generator that reads vectors, by the commands of an operator: training, nights, evaluation."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run as run_cli
from tests.databases import Database
from tests.servers import Servers
from tests.shop import add_purchases, make_shop

LIMITS = "full=0 fallbacks=1 top_item=1 top_first_query=1 overlap=0 shrinkage=1"
TRAINING = [
    *("--name", "vectors", "--history", "vectors", "--split", "loo", "--use"),
    *("--vocab-size", "400", "--pretrain-epochs", "8", "--epochs", "4", "--batch-size", "16"),
]


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run_cli([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_from_training_to_lists(
    servers: Servers,
    database: Database,
    alias: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = make_shop(servers, database, alias)
    for name, value in {
        **shop.environ,
        "GPT4REC_DEVICE": "cpu",
        "GPT4REC_THREADS": "1",
        "GPT4REC_GATE_LIMITS": LIMITS,
    }.items():
        monkeypatch.setenv(name, value)
    folder = str(tmp_path / "vectors")
    run_json(capsys, "split", "create", "loo", "--protocol", "leave-one-out")
    report = run_json(capsys, "train", "generator", *TRAINING, "--output", folder)
    assert list(report["card"]["phases"]) == ["reader", "decoder"]
    card = run_json(capsys, "generators", "show", "vectors")
    assert card["network"]["model_type"] == "gpt4rec_history"

    first = run_json(capsys, "night", "--date", "2026-11-22")
    assert (first["state"], first["users"]) == ("published", 40)
    assert first["prompts"] > 0
    with database.engine.connect() as connection:
        prompts = connection.execute(text("SELECT text, n_tokens FROM prompts")).all()
    for row in prompts:
        lines = row.text.split("\n")
        assert lines[0] == "Previously, the customer has bought:"
        assert lines[-1] == "In the future, the customer wants to buy"
        assert len(lines) - 2 == row.n_tokens <= 5
    assert run_json(capsys, "replay", "latest")["is_equal"]
    assert run_cli(["why", "u001"]) == 0
    assert "vintage" in capsys.readouterr().out.casefold()

    # An unchanged user costs nothing; one purchase, one prompt.
    with database.engine.begin() as connection:
        add_purchases(connection, version=2, first_user=39, users=40)
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    assert run_json(capsys, "night", "--date", "2026-11-23")["prompts"] == 1

    evaluated = run_json(
        capsys, "evaluate", "run", "loo", "--generator", "vectors", "--method", "queries"
    )
    assert "nats" in json.dumps(evaluated)
    # The shipped recipe of titles: a reader chooses, and nothing is spelled.
    run_json(capsys, "recipes", "use", "titles", "--reason", "a test")
    night = run_json(capsys, "night", "--date", "2026-11-24")
    assert (night["state"], night["tokens"]) == ("published", 0)
    assert night["prompts"] > 0
    with database.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT DISTINCT q.query FROM analytics.latest_generated_queries AS q "
                "LEFT JOIN analytics.items AS i ON i.title = q.query WHERE i.title IS NULL"
            )
        ).all()
    assert found == []
    assert run_json(capsys, "replay", "latest")["is_equal"]
    findings = run_json(capsys, "doctor")
    assert "generator" in json.dumps(findings)
