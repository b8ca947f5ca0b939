"""Where exports write: regular files, complete or not at all, registered by their real path."""

import csv
import datetime as dt
import json
import os
import socket
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from gpt4rec_es.cli.main import cli
from gpt4rec_es.db.rows.analysts import view_columns
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.exports.export import export
from gpt4rec_es.files import open_target, partial_of
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.privacy.forget import forget_user
from gpt4rec_es.runtime import Runtime
from tests.commands import Cli
from tests.databases import Database
from tests.shop import TITLES, Shop

USER = "+u-odd"
# Columns of view recommendations that are those of the run, or follow from others.
NOT_EXPORTED = {"run_id", "logical_date", "index_name", "minimum_should_match"}
NOT_EXPORTED |= {"search_fields", "encoder_hash"}
NOT_EXPORTED |= {"is_fallback", "query_id", "from_title"}


@pytest.fixture
def runtime(shop: Shop, database: Database) -> Runtime:
    """A night with a user whose id looks like a formula."""
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE users SET user_id = :user WHERE user_id = 'u014'"), {"user": USER}
        )
    runtime = shop.runtime()
    run_night(runtime.night_parts(), runtime.night_options(), dt.date(2026, 11, 22))
    return runtime


def registered(database: Database) -> dict[str, bool]:
    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT path, finished_at IS NOT NULL FROM exports"))
        return {row[0]: row[1] for row in found}


def write(database: Database, path: Path | None, **options: bool) -> None:
    export(database.engine, "recommendations", "latest", "csv", path, **options)


def test_a_link_stays_and_its_file_is_written_and_registered(
    runtime: Runtime, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    link, real = tmp_path / "link.csv", tmp_path / "real" / "r.csv"
    real.write_text("before")
    link.symlink_to(real)
    write(database, link)
    assert link.is_symlink()
    assert real.read_text().startswith("user_id,")
    assert registered(database) == {str(real): True}
    assert f"{socket.gethostname()}:{real}" in forget_user(database.engine, USER, actor="t").files


@pytest.mark.parametrize("kind", ["device", "pipe", "link to a device", "folder"])
def test_what_is_no_regular_file_is_refused_and_not_registered(
    runtime: Runtime, database: Database, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "x"
    if kind == "device":
        path = Path("/dev/null")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/full")
    with pytest.raises(UsageError, match="is no regular file"):
        write(database, path)
    assert not path.is_file()
    assert registered(database) == {}


def test_what_a_killed_export_left_goes_with_the_next(
    runtime: Runtime, database: Database, tmp_path: Path
) -> None:
    killed, path = tmp_path / "killed.csv", tmp_path / "next.csv"
    write(database, killed)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE exports SET finished_at = NULL"))
    partial_of(killed).write_text(USER)
    write(database, path)
    assert sorted(tmp_path.iterdir()) == [killed, path]
    assert registered(database) == {str(killed): False, str(path): True}

    partial_of(killed).write_text(USER)
    report = forget_user(database.engine, USER, actor="t")
    assert report.leftovers == (str(partial_of(killed)),)
    assert not partial_of(killed).exists()


def test_a_partial_file_on_another_machine_is_named(runtime: Runtime, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO exports (host, path, format, exported_at)
                VALUES ('far', '/x.csv', 'csv', now())
            """)
        )
    assert forget_user(database.engine, USER, actor="t").files == [
        "far:/x.csv",
        "far:/.x.csv.gpt4rec-partial",
    ]


def test_two_exports_to_one_file_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with open_target(path) as file:
        file.write(b"first")
        with pytest.raises(ConflictError, match="Another export writes"), open_target(path):
            pytest.fail("both write")
    assert path.read_bytes() == b"first"
    with pytest.raises(TypeError), open_target(path) as file:
        file.write(1)  # type: ignore[arg-type]
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_ids_that_look_like_formulas_are_exact_on_request(
    runtime: Runtime, database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    write(database, path)
    assert f"\n'{USER},1," in path.read_text()
    write(database, path, exact=True)
    assert f"\n{USER},1," in path.read_text()


def test_forgetting_ends_with_3_until_files_are_acknowledged(
    runtime: Runtime,
    shop: Shop,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop.enter(monkeypatch)
    write(database, tmp_path / "x.csv")
    forget = ["users", "forget", "--yes"]
    found = CliRunner().invoke(cli, [*forget, "--", USER])
    assert found.exit_code == 3
    assert str(tmp_path / "x.csv") in found.stdout
    found = CliRunner().invoke(cli, [*forget, "--acknowledge", "--", USER])
    assert found.exit_code == 0, found.output
    again = CliRunner().invoke(cli, [*forget, "--acknowledge", "--", USER])
    assert isinstance(again.exception, UsageError)
    found = CliRunner().invoke(cli, [*forget, "--acknowledge", "u015"])
    assert found.exit_code == 0, found.output
    unasked = CliRunner().invoke(cli, ["users", "forget", "u016"])
    assert unasked.exit_code == 2
    assert "--yes is needed" in unasked.output


def test_the_extension_decides_the_format_and_lists_have_titles(
    runtime: Runtime,
    shop: Shop,
    tmp_path: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop.enter(monkeypatch)
    for name in ("r.csv", "r.jsonl", "r.parquet"):
        cli("export", "recommendations", "--output", str(tmp_path / name))
    with (tmp_path / "r.csv").open(newline="") as file:
        from_csv = list(csv.DictReader(file))
    from_jsonl = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    from_parquet = pq.read_table(tmp_path / "r.parquet").to_pylist()
    titles = [row["title"] for row in from_csv]
    assert titles == [row["title"] for row in from_jsonl] == [row["title"] for row in from_parquet]
    assert set(titles) <= set(TITLES)
    columns = list(from_csv[0])
    assert columns == list(from_jsonl[0]) == list(from_parquet[0])
    with runtime.engine.connect() as connection:
        view = [c.name for c in view_columns(connection) if c.view == "recommendations"]
    assert set(view) - set(columns) == NOT_EXPORTED
    cli("export", "queries", "--output", str(tmp_path / "q.csv"))
    assert (tmp_path / "q.csv").read_text().startswith("user_id,query_rank,query,")
    refused = cli.error(
        "export", "queries", "--format", "jsonl", "--output", str(tmp_path / "r.csv"), code=2
    )
    assert "named as a file of format csv, but --format is jsonl" in refused


def test_a_dash_is_stdout(runtime: Runtime, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.enter(monkeypatch)
    found = CliRunner().invoke(
        cli, ["export", "recommendations", "--format", "csv", "--output", "-"]
    )
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith("user_id,")


def test_a_pipe_in_the_place_of_a_partial_file_stops_no_export(
    runtime: Runtime, database: Database, tmp_path: Path
) -> None:
    path, other = tmp_path / "q.csv", tmp_path / "other.csv"
    write(database, path)
    os.mkfifo(partial_of(path))
    with pytest.raises(UsageError, match="is no regular file"):
        write(database, path)
    write(database, other)
    assert forget_user(database.engine, USER, actor="t").leftovers == ()


def test_names_that_no_file_can_have_are_told_and_not_registered(
    runtime: Runtime, database: Database, tmp_path: Path
) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path in (loop, tmp_path / "a\udcff.csv", tmp_path / "none" / "x.csv"):
        with pytest.raises(UsageError):
            write(database, path)
    with pytest.raises(OSError, match="too long"):
        write(database, tmp_path / ("x" * 249))
    assert registered(database) == {}


def test_exported_lists_say_what_rules_and_the_re_ranker_did(
    runtime: Runtime, database: Database, tmp_path: Path
) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE recommendations SET source = 'pinned', promoted_by = 'rule 7' "
                "WHERE rank = 1"
            )
        )
        connection.execute(
            text("UPDATE recommendations SET merge_rank = 9, rerank_score = -0.5 WHERE rank = 2")
        )
    for fmt in ("csv", "jsonl", "parquet"):
        export(runtime.engine, "recommendations", "latest", fmt, tmp_path / f"x.{fmt}")
    with (tmp_path / "x.csv").open(newline="") as file:
        found = [list(csv.DictReader(file))]
    found.append([json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()])
    found.append(pq.read_table(tmp_path / "x.parquet").to_pylist())
    for rows in found:
        by_rank = {row["promoted_by"] for row in rows if str(row["rank"]) == "1"}
        assert by_rank == {"rule 7"}
        assert {row["promoted_by"] or None for row in rows if str(row["rank"]) != "1"} == {None}
        assert list(rows[0])[-3:] == ["merge_rank", "rerank_score", "holdback_arm"]
        for row in rows:
            wanted = ("9", "-0.5") if str(row["rank"]) == "2" else ("", "")
            said = (row["merge_rank"], row["rerank_score"])
            assert tuple("" if one is None else str(one) for one in said) == wanted
