"""`gpt4rec doctor` on a healthy shop, and on shops with one problem each."""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import make_url, text

from gpt4rec_es.cli.main import run
from gpt4rec_es.doctor import cluster as of_elasticsearch
from gpt4rec_es.doctor import database as of_postgres
from gpt4rec_es.doctor.cluster import is_loopback
from gpt4rec_es.doctor.findings import Finding, Level, ok, run_check, worst
from gpt4rec_es.doctor.machine import numbers, versions
from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.errors import DependencyError
from gpt4rec_es.logs import register_secrets
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import Recipe, with_vectors
from gpt4rec_es.recipes.live import use_recipe as use_shipped
from gpt4rec_es.recipes.shipped import shipped
from gpt4rec_es.reranking.encoder_registry import add_encoder
from tests.databases import Cluster, Database
from tests.elastic.stub import Reply, Request, stub
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import RECIPE, make_shop, use_recipe
from tests.vector_maker import register
from tests.vectors import save_token_vectors

Doctor = Callable[[], tuple[int, dict[str, list[dict[str, Any]]]]]


@pytest.fixture
def doctor(
    servers: Servers,
    database: Database,
    alias: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Doctor:
    """A function that runs the doctor on a shop and returns exit code and findings by check."""
    use_titles(database)
    environ = make_shop(servers, database, alias).environ
    environ["GPT4REC_ANALYST_DATABASE_URL"] = database.analyst_url
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert run(["--env-file", "", "night", "--date", "2026-11-22"]) == 0

    def examine() -> tuple[int, dict[str, list[dict[str, Any]]]]:
        capsys.readouterr()
        code = run(["--env-file", "", "doctor", "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        found: dict[str, list[dict[str, Any]]] = {}
        for finding in json.loads(out):
            found.setdefault(finding["check"], []).append(finding)
        return code, found

    return examine


def bad(found: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Return check -> level of all problems.

    Except the test server's small heap, and yellow health while another test creates an index.
    """
    return {
        check: finding["level"]
        for check, findings in found.items()
        for finding in findings
        if finding["level"] != "ok"
        and not re.search("has a heap of|health is yellow", finding["what"])
    }


def test_a_healthy_shop(doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = doctor()
    assert bad(found) == {}
    assert len(found) == 21
    assert found["recipe"][0]["what"].startswith("test is live (queries:1), used by test since ")
    assert all(
        bool(finding["way_out"]) == (finding["level"] != "ok")
        for findings in found.values()
        for finding in findings
    )
    assert "60 items" in found["alias"][0]["what"]
    assert found["pinned builds"][0]["what"].startswith("1 builds")
    # The only allowed warning is the small heap of the test server.
    warnings = [f for findings in found.values() for f in findings if f["level"] == "warning"]
    assert code == (1 if warnings else 0)
    assert run(["--env-file", "", "doctor"]) == code
    out = capsys.readouterr().out
    assert out.count("warning  ") == len(warnings)
    assert all(f"-> {warning['way_out']}" in out for warning in warnings)


def test_a_dead_server_does_not_hide_the_others(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://me:geheim1@127.0.0.1:9")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://:geheim2@127.0.0.1:9/0")
    code, found = doctor()
    assert code == 2
    assert [(f["level"], f["what"]) for f in found["elasticsearch"]] == [
        ("error", "Elasticsearch at http://127.0.0.1:9 cannot be reached: Connection refused."),
        (
            "warning",
            (
                "not looked at while elasticsearch does not answer: elasticsearch nodes, "
                "elasticsearch disk, elasticsearch rights, alias, pinned builds"
            ),
        ),
    ]
    assert bad(found) == {"elasticsearch": "warning", "broker": "error"}
    assert "geheim" not in json.dumps(found)


def test_a_dead_database_does_not_hide_the_others(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "GPT4REC_OWNER_DATABASE_URL", "GPT4REC_ANALYST_DATABASE_URL"):
        monkeypatch.setenv(name, "postgresql://me:geheim3@127.0.0.1:9/shop")
    code, found = doctor()
    assert code == 2
    assert {"elasticsearch", "elasticsearch disk", "broker", "device", "settings"}.isdisjoint(
        bad(found)
    )
    assert [f["level"] for f in found["postgres"]] == ["error", "warning"]
    assert {"generator", "owner", "analyst", "shards", "alias"}.isdisjoint(found)
    assert "geheim" not in json.dumps(found)


def test_risky_settings_are_reported(
    doctor: Doctor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.engine.begin() as connection:
        half = replace(RECIPE, decoding=replace(RECIPE.decoding, dtype="fp16"))
        use_recipe(connection, "half", half)
    for name, value in {
        "GPT4REC_K": "100",
        "GPT4REC_DEPTH": "20",
        "GPT4REC_LEASE_SECONDS": "5",
        "GPT4REC_MAX_PUBLISHED_AGE_HOURS": "20",
        "GPT4REC_SEARCHES_PER_SECOND": "0.001",
        "GPT4REC_DEVICE": "cpu",
        "ELASTICSEARCH_VERIFY_TLS": "false",
    }.items():
        monkeypatch.setenv(name, value)
    code, found = doctor()
    assert code == 2
    assert bad(found) == {
        "settings": "warning",
        "settings and data": "warning",
        "recipe": "error",
    }
    said = " ".join(finding["what"] for finding in found["settings"])
    for name in ("DEPTH", "LEASE_SECONDS", "REDRIVE", "MAX_PUBLISHED", "VERIFY_TLS"):
        assert name in said
    short, slow = found["settings and data"]
    assert (short["level"], slow["level"]) == ("error", "warning")
    assert "only 60 items" in short["what"]
    assert "up to 33 h" in slow["what"]


def test_shards_that_take_too_long(doctor: Doctor, database: Database) -> None:
    assert re.match(r"a shard takes about: .*merge \d", doctor()[1]["shards"][0]["what"])
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE shards SET finished_at = finished_at + shard_no * interval '20 minutes' "
                "WHERE stage = 'generate'"
            )
        )
    code, found = doctor()
    assert code == 1
    assert bad(found) == {"shards": "warning"}
    assert "A generate shard takes about 20 min" in found["shards"][0]["what"]
    assert "GPT4REC_GENERATE_SHARD_SIZE" in found["shards"][0]["way_out"]


def test_files_and_builds_that_are_not_as_recorded(
    doctor: Doctor, database: Database, elastic: Elasticsearch, alias: str
) -> None:
    (index,) = alias_targets(elastic, alias)
    elastic.indices.delete(index=index)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE generators SET content_hash = 'other'"))
    code, found = doctor()
    assert code == 2
    assert bad(found) == {"alias": "error", "pinned builds": "error", "generator": "error"}
    assert "which nightly-2026-11-22-1 need" in found["pinned builds"][0]["what"]
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE generators SET is_current = false"))
    found = doctor()[1]
    assert found["generator"][0]["what"] == "none is in use"
    assert "and recipe test has no other source" in found["recipe"][0]["what"]
    use_shipped(database.engine, "default", actor="test", reason="a try")
    found = doctor()[1]
    assert found["recipe"][0]["level"] == "warning"
    assert "makes lists from its other sources" in found["recipe"][0]["what"]


def test_the_encoder_of_the_index_is_opened(
    doctor: Doctor, database: Database, tmp_path: Path
) -> None:
    with database.engine.connect() as connection:
        titles = connection.execute(text("SELECT lower(title) FROM items")).scalars().all()
    words = {word for title in titles for word in re.findall(r"\w+", title)}
    folder = save_token_vectors(tmp_path / "words", dict.fromkeys(words, (1.0, 0.0)))
    add_encoder(database.engine, "words", "static", path=folder, actor="test")
    assert run(["--env-file", "", "reindex", "--encoder", "words"]) == 0
    default = shipped("default").recipe
    with database.engine.begin() as connection:
        use_recipe(connection, "near", with_vectors(default, "words"))
    _, found = doctor()
    assert bad(found) == {}
    by_all = f"{len(titles)} of {len(titles)} items have a vector by the encoder words"
    assert by_all in found["alias"][1]["what"]
    as_they_were = "encoder words is registered and its files are as they were"
    assert as_they_were in found["recipe"][0]["what"]
    save_token_vectors(folder, dict.fromkeys(words, (0.0, 1.0)))
    code, found = doctor()
    assert code == 2
    assert bad(found) == {"alias": "error", "recipe": "error"}
    for where in (found["alias"][1], found["recipe"][0]):
        assert "files of encoder 'words' changed" in where["what"]


def test_an_encoder_that_knows_few_titles_is_reported(
    doctor: Doctor, database: Database, tmp_path: Path
) -> None:
    folder = save_token_vectors(tmp_path / "words", {"of-another-language": (1.0, 0.0)})
    add_encoder(database.engine, "words", "static", path=folder, actor="test")
    assert run(["--env-file", "", "reindex", "--encoder", "words"]) == 0
    found = doctor()[1]
    assert bad(found) == {"alias": "warning"}
    assert "knows no word of the other titles" in found["alias"][1]["what"]


def test_an_analyst_that_does_not_find_the_views(
    doctor: Doctor, database: Database, cluster: Cluster
) -> None:
    role = make_url(database.analyst_url).username
    there = f'ALTER ROLE "{role}" IN DATABASE "{database.name}"'
    with cluster.admin.connect() as connection:
        connection.execute(text(f"{there} SET search_path = public"))
        (found,) = doctor()[1]["analyst"]
        connection.execute(text(f"{there} RESET search_path"))
    assert "SET search_path = analytics" in found["way_out"]


def test_a_reranker_that_no_night_could_open(
    doctor: Doctor, database: Database, tmp_path: Path
) -> None:
    fusion = Fusion(
        (("queries", 1.0), ("history_titles", 1.0)),
        method="learned",
        coefficients=(("query_best", 1.0), ("rerank", 1.0)),
    )
    with database.engine.begin() as connection:
        use_recipe(connection, "reranked", Recipe(fusion=fusion, reranker="titles"))
    for what, folders in (
        ("which is not registered", None),
        ("folder of re-ranker titles is gone: /there", {}),
        ("GPT-2 that reads metadata for re-ranker titles is gone: /none", {"gpt2": "/none"}),
        ("re-ranker titles is registered", {"gpt2": "gpt2"}),
    ):
        if folders is not None:
            path = str(tmp_path) if folders else "/there"
            with database.engine.begin() as connection:
                register(connection, path=path, **folders)
        code, found = doctor()
        assert what in found["recipe"][0]["what"]
        is_well = folders == {"gpt2": "gpt2"}
        assert (found["recipe"][0]["level"] == "ok") == is_well
        assert (code == 0) == is_well


_OF_THE_TABLES = ("alias", "pinned builds", "generator", "recipe", "settings and data", "shards")


def test_roles_with_the_wrong_rights_and_an_old_schema(
    doctor: Doctor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.owner_url)
    monkeypatch.setenv("GPT4REC_OWNER_DATABASE_URL", database.writer_url)
    monkeypatch.setenv("GPT4REC_ANALYST_DATABASE_URL", database.writer_url)
    with database.owner_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    code, found = doctor()
    assert code == 2
    assert bad(found) == {
        "schema": "error",
        "writer": "warning",
        "owner": "warning",
        "analyst": "warning",
        # Checks that need the tables name the command to run first.
        **dict.fromkeys(_OF_THE_TABLES, "error"),
    }
    for name in _OF_THE_TABLES:
        assert "is at revision 0001" in found[name][0]["what"]
    monkeypatch.setenv("DATABASE_URL", database.analyst_url)
    found = doctor()[1]
    assert "may not write rows" in found["writer"][0]["what"]
    assert "permission denied for table builds" in found["alias"][0]["what"]
    assert "gpt4rec_writer" in found["alias"][0]["way_out"]


def test_a_database_without_a_schema(
    doctor: Doctor, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "GPT4REC_OWNER_DATABASE_URL", "GPT4REC_ANALYST_DATABASE_URL"):
        monkeypatch.setenv(name, empty_database.writer_url)
    found = doctor()[1]
    assert bad(found) == dict.fromkeys(("schema", "writer", "analyst", *_OF_THE_TABLES), "error")
    assert all("db upgrade" in found[name][0]["way_out"] for name in bad(found))


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, Level.OK), (20, Level.WARNING), (-3600, Level.ERROR)]
)
def test_a_clock_that_is_wrong(database: Database, seconds: int, level: Level) -> None:
    def now() -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)

    (finding,) = of_postgres.clock(database.engine, now)
    assert finding.level is level
    if seconds:
        assert ("behind" if seconds > 0 else "ahead") in finding.what


def test_a_check_that_fails_is_a_finding_without_secrets() -> None:
    register_secrets(["s3cret-word"])

    def half() -> Iterator[Finding]:
        yield ok("so far")
        raise ValueError("s3cret-word\nin two lines")

    def unreachable() -> Iterator[Finding]:
        raise DependencyError("away with s3cret-word", "start it")

    found = run_check("half", half)
    assert [one.level for one in found] == [Level.OK, Level.ERROR]
    assert "ValueError: ***" in found[1].what
    assert run_check("away", unreachable) == [
        Finding(Level.ERROR, "away with ***", "start it", "away")
    ]
    assert worst(found) is Level.ERROR
    assert worst([]) is Level.OK


def test_versions_are_read_and_compared() -> None:
    assert numbers("8.19.16") == (8, 19, 16)
    assert numbers("2.13.0+cpu") == (2, 13, 0)
    assert numbers("9.0.0-SNAPSHOT") == (9, 0, 0)
    assert numbers("unknown") == ()
    assert [finding.level for finding in versions()] == [Level.OK]


@pytest.mark.parametrize(
    ("host", "is_own"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("es", False)],
)
def test_which_hosts_are_this_machine(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own


def test_rights_that_are_missing_are_named() -> None:
    def script(request: Request) -> Reply:
        if request.path != "/_security/user/_has_privileges":
            return Reply({}, status=404)
        asked = json.loads(request.body)
        granted = {name: name != "create_index" for name in asked["index"][0]["privileges"]}
        return Reply(
            {
                "cluster": {"monitor": False},
                "index": dict.fromkeys(asked["index"][0]["names"], granted),
            }
        )

    with stub(script) as url:
        lacking, blind = of_elasticsearch.rights(make_client(url), "items")
    assert (lacking.level, blind.level) == (Level.ERROR, Level.WARNING)
    assert "missing: create_index." in lacking.what
    assert "monitor" in blind.what


def test_the_disk_of_a_database_on_this_machine_is_seen(
    database: Database, cluster: Cluster
) -> None:
    (finding,) = of_postgres.disk(cluster.admin)
    assert "of its disk are free" in finding.what
    (finding,) = of_postgres.disk(database.engine)
    assert "cannot be seen from here" in finding.what
