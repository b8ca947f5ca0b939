"""The commands on indices."""

import json
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from gpt4rec_es.cli.main import run
from tests.databases import Database
from tests.elastic.catalogs import add_shirts
from tests.indexes import index_names
from tests.servers import Servers
from tests.vectors import save_token_vectors


class Operator:
    """Runs commands and reads their output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, *args: str) -> str:
        code = run(args)
        out, err = self._capsys.readouterr()
        assert code == 0, err
        return out

    def json(self, *args: str) -> Any:
        return json.loads(self.run(*args, "--json"))

    def fails(self, code: int, *args: str) -> str:
        assert run(args) == code
        out, err = self._capsys.readouterr()
        assert out == ""
        line = err.strip().splitlines()[-1]
        assert line.startswith("Error: ")
        assert "Traceback" not in err
        return line


@pytest.fixture
def operator(
    database: Database,
    servers: Servers,
    alias: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,
) -> Operator:
    monkeypatch.chdir(tmp_path)  # no .env file
    monkeypatch.setenv("DATABASE_URL", database.writer_url)
    monkeypatch.setenv("ELASTICSEARCH_URL", servers.elasticsearch_url)
    monkeypatch.setenv("CELERY_BROKER_URL", servers.broker_url)
    monkeypatch.setenv("GPT4REC_INDEX_ALIAS", alias)
    monkeypatch.setenv("GPT4REC_ACTOR", "ann")
    return Operator(capsys)


def test_a_day_with_the_index(
    operator: Operator, database: Database, elastic: Elasticsearch, alias: str
) -> None:
    assert "nothing to index" in operator.fails(1, "reindex")
    add_shirts(database.engine)
    assert "points nowhere" in operator.fails(2, "search", "shirt")
    assert "would index 6 items" in operator.run("reindex", "--dry-run")
    assert operator.json("reindex", "--dry-run")["documents"] == 6
    assert index_names(elastic, alias) == []

    first = operator.json("reindex", "--reason", "first")
    assert first["documents"] == 6
    assert first["build"]["reason"] == "first"
    out = operator.run("search", "red shirt", "--k", "2", "--explain")
    assert "red shirt" in out
    assert "k1 1.2, b 0.75" in out
    found = operator.json("search", "red shirt", "--k", "2")
    assert [hit["title"] for hit in found["hits"]] == ["red shirt", "red dress"]

    dry = operator.run("index", "bm25", "set", "--k1", "0.9", "--b", "0.4", "--dry-run")
    assert "would be 0.9, 0.4 after 1.2, 0.75" in dry
    operator.run("index", "bm25", "set", "--k1", "0.9", "--b", "0.4", "--reason", "recall")
    shown = operator.json("index", "bm25", "show")
    assert (shown["k1"], shown["b"], shown["moves"][0]["reason"]) == (0.9, 0.4, "recall")
    assert "recall" in operator.run("index", "bm25", "show")
    assert "are live already" in operator.fails(2, "index", "bm25", "set", "--k1=.9", "--b=.4")
    assert "must lie between 0 and 1" in operator.fails(
        2, "index", "bm25", "set", "--k1", "1", "--b", "2"
    )
    assert "are 1.2, 0.75 after 0.9, 0.4" in operator.run("index", "bm25", "undo")
    assert "no change of k1, b to undo" in operator.fails(2, "index", "bm25", "undo")

    operator.run("reindex")
    listed = operator.json("index", "builds")
    assert [status["is_live"] for status in listed] == [True, False, False]
    assert "derived" in operator.run("index", "builds", "--all", "--wide")
    assert "would move" in operator.run("index", "rollback", "--dry-run")
    assert operator.json("index", "prune", "--keep", "1", "--dry-run")["indices"] == [
        listed[1]["build"]["index_name"]
    ]
    assert "would be pinned" in operator.run("index", "pin", "2", "--dry-run")
    assert not any(row["build"]["is_pinned"] for row in operator.json("index", "builds"))
    assert operator.json("index", "pin", "2", "--reason", "for a report")["is_pinned"] is True
    assert operator.json("index", "builds")[1]["pinned_by"] == ["hand"]
    assert "hand" in operator.run("index", "builds", "--wide")
    assert "deleted no index" in operator.run("index", "prune", "--keep", "1")
    assert "is not pinned" in operator.run("index", "unpin", "2")
    assert "There is no build 99" in operator.fails(2, "index", "pin", "99")
    back = operator.json("index", "rollback", "--reason", "test")
    assert back["after"]["build_no"] == first["build"]["build_no"]
    assert "moved from" in operator.run("index", "rollback", "--to", "3")
    assert "not a build 99" in operator.fails(2, "index", "rollback", "--to", "99")
    assert "deleted" in operator.run("index", "prune", "--keep", "0")
    assert len(operator.json("index", "builds")) == 1


@pytest.mark.parametrize(
    "command",
    [
        ("reindex",),
        ("reindex", "--dry-run"),
        ("search", "shirt"),
        ("index", "builds"),
        ("index", "prune"),
        ("index", "rollback"),
        ("index", "bm25", "show"),
        ("index", "bm25", "set", "--k1", "1", "--b", "0"),
        ("index", "bm25", "undo"),
    ],
)
def test_an_unreachable_server_is_one_line_and_code_4(
    operator: Operator,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    add_shirts(database.engine)
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://127.0.0.1:1")
    line = operator.fails(4, *command)
    assert "Elasticsearch at http://127.0.0.1:1 cannot be reached: Connection refused." in line


@pytest.mark.parametrize("wanted", ["", "   ", "\udcff"])
def test_a_text_that_is_none_is_refused(operator: Operator, wanted: str) -> None:
    operator.fails(2, "search", wanted)


def test_the_number_of_hits_has_bounds(operator: Operator) -> None:
    assert "Ask for 1 to 10000" in operator.fails(2, "search", "shirt", "--k", "0")


def test_a_day_with_an_encoder(operator: Operator, database: Database, tmp_path: Path) -> None:
    add_shirts(database.engine)
    axes = {"red": (1.0, 0.0), "crimson": (0.9, 0.1), "blue": (0.0, 1.0)}
    folder = save_token_vectors(tmp_path / "words", axes)
    assert "Name one encoder" in operator.fails(2, "encoders", "add", "words")
    add = ("encoders", "add", "words", "--static", str(folder))
    assert operator.run(*add, "--dry-run") == "words can be registered.\n"
    assert operator.json("encoders", "list") == []
    assert operator.run(*add) == "words is registered.\n"
    assert operator.json("encoders", "show", "words")["dims"] == 2
    assert "static" in operator.run("encoders", "list")
    assert "words" in operator.run("encoders", "show", "words")

    operator.run("reindex")
    nearest = ("search", "crimson", "--k", "2", "--encoder", "words")
    assert "no vectors of this encoder" in operator.fails(1, *nearest)
    plan = operator.run("reindex", "--encoder", "words", "--dry-run")
    assert "vectors of titles by the encoder words" in plan
    # Three colours are six titles, and "green" is unknown to it.
    assert "6 titles were new to it" in operator.run("reindex", "--encoder", "words")
    assert operator.json("reindex")["encoded"] == 0
    found = operator.json(*nearest)["hits"]
    assert [hit["title"] for hit in found] == ["red shirt", "red dress"]
    assert found[0]["cosine"] == pytest.approx(0.9 / 0.82**0.5, abs=1e-6)
    assert operator.json("search", "crimson")["hits"] == []
    assert "cosine" in operator.run(*nearest)
    assert "knows no word" in operator.run("search", "zebra", "--encoder", "words")
    assert "no explanation" in operator.fails(2, *nearest, "--explain")
    for text, k, reason in ((" ", "2", "nothing to search"), ("red", "0", "Ask for 1")):
        assert reason in operator.fails(2, "search", text, "--k", k, "--encoder", "words")

    remove = ("encoders", "remove", "words")
    assert "reindex --encoder none" in operator.fails(2, *remove)
    operator.run("reindex", "--encoder", "none")
    operator.run("index", "prune", "--keep", "0")
    assert operator.json(*remove, "--dry-run")["title_vectors"] == 6
    assert operator.run(*remove) == "words is removed, with 6 vectors of titles.\n"
    assert operator.json("encoders", "list") == []
    assert "no encoder 'words'" in operator.fails(2, "reindex", "--encoder", "words")
