"""Erasing a user: no trace is left, and other users' rows are unchanged."""

import datetime as dt
import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, text

from gpt4rec_es.cli.main import cli
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.exports.export import export
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.plan import plan_run
from gpt4rec_es.night.publish import publish
from gpt4rec_es.privacy.forget import forget_user
from gpt4rec_es.privacy.pseudonyms import set_pseudonyms
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop, stored_rows

DAY = dt.date(2026, 11, 22)
USER, NUMBER = "forget-me", 987654321
FORMATS = ("jsonl", "csv", "parquet", "trec")


@pytest.fixture
def runtime(shop: Shop, database: Database, tmp_path: Path) -> Runtime:
    """Two nights with a user of a distinctive number, and exports of the newer run."""
    with database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO users (user_no, user_id) VALUES (:number, :user)"),
            {"number": NUMBER, "user": USER},
        )
        # Titles that only this user bought; one finds nothing.
        for title, item in (("solitary gondola", 1), ("zeppelin", 2), ("red clock", 3)):
            connection.execute(
                text("""
                WITH new AS (
                    INSERT INTO items (item_id, title, title_raw, version, is_active)
                    VALUES (:id, :title, :title, 1, :active) RETURNING item_no)
                INSERT INTO interactions (user_no, item_no, event_no, ordinal, version)
                SELECT :number, item_no, :item, 0, 1 FROM new
                """),
                {
                    "id": f"own-{item}",
                    "title": title,
                    "active": item != 2,
                    "number": NUMBER,
                    "item": item,
                },
            )
        connection.execute(
            text("""
            INSERT INTO imports (kind, files, state, actor)
            VALUES ('interactions', '{a.csv}', 'done', 'ann')
            """)
        )
        connection.execute(
            text("""
            INSERT INTO import_rejects VALUES
                (1, 1, 'a.csv', 7, 'no_id', 'no item id', 'forget-me,,'),
                (1, 2, 'a.csv', 8, 'no_id', 'no item id', 'not-forget-me-too,,')
            """)
        )
    runtime = shop.runtime(gate_limits="full=0")
    for days in range(2):
        run_night(runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=days))
    set_pseudonyms(database.owner_engine, is_on=True, actor="test")
    for fmt in FORMATS:
        export(database.engine, "recommendations", "latest", fmt, tmp_path / f"own.{fmt}")
        export(
            database.engine,
            "recommendations",
            "latest",
            fmt,
            tmp_path / f"shown.{fmt}",
            as_analyst=True,
        )
    return runtime


def traces(connection: Connection, *names: str) -> set[str]:
    """Return the tables and columns that contain the user's id, pseudonym or number."""
    columns = connection.execute(
        text("""
        SELECT c.table_schema || '.' || quote_ident(c.table_name) AS name,
            quote_ident(column_name) AS column
        FROM information_schema.columns AS c JOIN information_schema.tables AS t
            USING (table_schema, table_name)
        WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
        """)
    ).all()
    assert len(columns) > 200
    pattern = "|".join(
        f"(^|[^[:alnum:]-]){name}($|[^[:alnum:]-])" for name in (*names, str(NUMBER))
    )
    return {
        f"{one.name}.{one.column}"
        for one in columns
        if connection.execute(
            text(f"SELECT EXISTS (SELECT FROM {one.name} WHERE {one.column}::text ~ :pattern)"),
            {"pattern": pattern},
        ).scalar_one()
    }


def pseudonym(database: Database) -> str:
    with database.engine.connect() as connection:
        found = connection.execute(
            text("SELECT shown_id FROM users WHERE user_id = :user"), {"user": USER}
        )
        return str(found.scalar_one())


def test_nothing_is_left_of_the_user_and_everything_of_others(
    runtime: Runtime, database: Database, tmp_path: Path
) -> None:
    shown = pseudonym(database)
    assert shown != USER
    with database.owner_engine.connect() as connection:
        before = traces(connection, USER, shown)
        places = {place.rpartition(".")[0].rpartition(".")[2] for place in before}
        assert places >= {"users", "interactions", "shards", "import_rejects", "daily_examples"}
        assert places >= {"run_users_1", "user_outcomes_2", "recommendations_2"}
        others = [row for row in stored_rows(connection, 2) if row[0] != USER]
        assert "zeppelin" in connection.execute(text("SELECT text FROM queries")).scalars().all()
    sizes = {path: path.stat().st_size for path in tmp_path.iterdir()}

    planned = forget_user(database.engine, USER, actor="test", dry_run=True)
    with database.owner_engine.connect() as connection:
        assert traces(connection, USER, shown) == before
    assert {path: path.stat().st_size for path in tmp_path.iterdir()} == sizes

    report = forget_user(database.engine, USER, actor="test")
    assert report.rows == planned.rows
    assert {Path(place.partition(":")[2]).name for place in report.files} == {
        f"{ids}.{fmt}" for ids in ("own", "shown") for fmt in FORMATS
    }
    assert all(place.startswith(f"{socket.gethostname()}:/") for place in report.files)
    with database.owner_engine.connect() as connection:
        assert traces(connection, USER, shown) == set()
        assert stored_rows(connection, 2) == others
        left = set(connection.execute(text("SELECT text FROM queries")).scalars())
        assert not left & {"zeppelin", "solitary gondola"}
        assert "red clock" in " ".join(left), "others look for clocks too"
        (excerpt,) = connection.execute(
            text("SELECT excerpt FROM import_rejects WHERE reject_no = 2")
        ).one()
        assert excerpt == "not-forget-me-too,,"
        (audited,) = connection.execute(
            text("SELECT after FROM audit WHERE action = 'forget'")
        ).one()
        assert audited == {"rows": report.rows, "files": report.files}
    assert {path: path.stat().st_size for path in tmp_path.iterdir()} == sizes, "no file is touched"
    with pytest.raises(UsageError, match="no such user"):
        forget_user(database.engine, USER, actor="test")


def test_runs_can_be_published_again_and_the_user_imported_again(
    runtime: Runtime,
    shop: Shop,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop.enter(monkeypatch)
    result = CliRunner().invoke(cli, ["users", "forget", USER], input="n\n")
    assert result.exit_code != 0
    result = CliRunner().invoke(cli, ["users", "forget", USER, "--yes", "--json"])
    assert result.exit_code == 3, result.output
    assert json.loads(result.stdout)["rows"]["users"] == 1
    parts = runtime.night_parts()
    assert publish.gates_of(parts, "nightly-2026-11-22-1")[0]["passed"]
    publish.publish(parts, "latest", force=True, reason="the same again")
    bought = tmp_path / "bought.csv"
    bought.write_text(f"user_id,item_id,timestamp\n{USER},i001,1700000000\n")
    result = CliRunner().invoke(cli, ["import", "interactions", str(bought)])
    assert result.exit_code == 0, result.output
    again = run_night(parts, runtime.night_options(), DAY + dt.timedelta(days=5))
    assert again.users == 41


def test_it_is_refused_while_a_run_is_unfinished(runtime: Runtime, database: Database) -> None:
    plan_run(runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=3))
    with pytest.raises(ConflictError, match="unfinished"):
        forget_user(database.engine, USER, actor="test")
    assert pseudonym(database)


def test_files_are_named_without_being_opened(runtime: Runtime, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM exports"))
        connection.execute(
            text("""
            INSERT INTO exports (host, path, format, exported_at, finished_at) VALUES
                ('far', '/x.csv', 'csv', now(), now()), (:here, '/dev/zero', 'csv', now(), now()),
                (:here, '/before.csv', 'csv', '2000-01-01', now())
            """),
            {"here": socket.gethostname()},
        )
    report = forget_user(database.engine, USER, actor="test")
    # Exports before the user's first import cannot contain the user.
    assert sorted(report.files) == sorted(["far:/x.csv", f"{socket.gethostname()}:/dev/zero"])
