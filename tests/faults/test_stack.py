"""Tests of the local stack with its own servers: repeated, damaged, killed, stopped.

The tests of this file share one stack and each leaves it up, because a start takes 15 seconds.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from sqlalchemy import make_url

from gpt4rec_es import stack
from gpt4rec_es.stack.account import server_account
from gpt4rec_es.stack.state import State, load_state
from tests.servers import Servers

_SERVERS = {"elasticsearch", "broker", "postgres"}


@pytest.fixture(scope="module")
def folder(servers: Servers) -> Iterator[Path]:
    """A folder that an unprivileged account can enter; its stack is deleted afterwards.

    It uses ``servers``, which leaves the distribution of Elasticsearch in the cache.
    """
    base = Path(tempfile.mkdtemp(prefix="gpt4rec ü ", dir="/tmp"))  # spaces and umlauts must work
    base.chmod(0o711)
    try:
        yield base / "stack"
    finally:
        stack.down(base / "stack", delete=True)
        base.rmdir()


@pytest.fixture
def urls(folder: Path) -> stack.StackUrls:
    """Start the stack; return its addresses."""
    return _up(folder)


def _up(folder: Path, **choices: Any) -> stack.StackUrls:
    return stack.up(folder, stack.default_options(os.environ, **choices))


def _pids(folder: Path) -> dict[str, int]:
    found = stack.status(folder)
    assert found.is_up, found
    return {server.name: server.pid for server in found.servers if server.pid}


def _state(folder: Path) -> State:
    state = load_state(folder)
    assert state is not None
    return state


def _kill(folder: Path, name: str) -> None:
    os.kill(_pids(folder)[name], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while stack.status(folder).is_up:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _query(url: str, statement: str) -> list[tuple[Any, ...]]:
    parts = make_url(url).translate_connect_args(username="user", database="dbname")
    connection = psycopg2.connect(**parts)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def _http(url: str, method: str = "GET", body: str | None = None) -> Any:
    parts = urlsplit(url)
    link = HTTPConnection(parts.netloc, timeout=60)
    try:
        headers = {"Content-Type": "application/json"}
        link.request(method, f"{parts.path}?{parts.query}", body, headers)
        return json.load(link.getresponse())
    finally:
        link.close()


def _command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "gpt4rec_es", "stack", *arguments, "--folder", str(folder)]


def test_up_again_changes_nothing(urls: stack.StackUrls, folder: Path) -> None:
    before = _pids(folder)
    assert set(before) == _SERVERS
    assert _up(folder) == urls
    assert _pids(folder) == before
    assert stack.read_urls(folder) == urls


def test_no_server_runs_as_root_and_all_listen_on_one_address(
    urls: stack.StackUrls, folder: Path
) -> None:
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in _pids(folder).values()}
    assert owners == {server_account(folder=folder).uid}
    assert 0 not in owners
    for port in _state(folder).ports.values():
        socket.create_connection(("127.0.0.1", port), 5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), 5)


def test_passwords_are_needed_and_only_in_private_files(
    urls: stack.StackUrls, folder: Path
) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        _query(urls.database_url.replace("gpt4rec_writer:", "gpt4rec_writer:x"), "SELECT 1")
    with socket.create_connection(("127.0.0.1", _state(folder).ports["broker"]), 5) as link:
        link.sendall(b"PING\r\n")
        assert link.recv(100).startswith(b"-NOAUTH")
    passwords = [word.encode() for word in _state(folder).passwords.values()]
    holding = {
        path
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in passwords)
    }
    assert {path.name for path in holding} == {"state.json", "broker.conf"}
    assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}


def test_each_role_may_do_its_part_and_no_more(urls: stack.StackUrls) -> None:
    _query(urls.owner_database_url, "CREATE TABLE t (x int); GRANT SELECT ON t TO gpt4rec_writer")
    assert _query(urls.database_url, "SELECT * FROM t") == []
    _query(urls.database_url, "CREATE TEMPORARY TABLE scratch (x int)")
    for url, statement in (
        (urls.database_url, "CREATE TABLE u (x int)"),
        # An analyst's transactions are read-only by default alone.
        (urls.analyst_database_url, "BEGIN READ WRITE; CREATE TABLE public.u (x int)"),
        (urls.analyst_database_url, "BEGIN READ WRITE; CREATE TEMPORARY TABLE u (x int)"),
        (urls.analyst_database_url, "SELECT * FROM public.t"),
        (urls.owner_database_url, "CREATE ROLE somebody"),
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            _query(url, statement)
    _query(urls.owner_database_url, "DROP TABLE t")


def test_worked_questions_need_no_schema(urls: stack.StackUrls, folder: Path) -> None:
    """Analysts find the views by their names, in psql and by the addresses for other programs."""
    program, variables = stack.psql_command(folder, "analyst")
    done = subprocess.run(
        [*program, "-Atc", "SHOW search_path"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "analytics\n"
    url = stack.shell_variables(folder)["GPT4REC_ANALYST_DATABASE_URL"]
    done = subprocess.run(
        [program[0], url, "-Atc", "SHOW default_transaction_read_only"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "on\n"


def test_killed_postgres_and_broker_come_back_with_ports_and_data(
    urls: stack.StackUrls, folder: Path
) -> None:
    _query(urls.owner_database_url, "CREATE TABLE kept AS SELECT 42 AS x")
    before = _pids(folder)
    _kill(folder, "postgres")
    shown = subprocess.run(
        [*_command(folder, "status"), "--json"], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 4
    states = {server["name"]: server["state"] for server in json.loads(shown.stdout)["servers"]}
    assert states == {"elasticsearch": "up", "broker": "up", "postgres": "down"}
    os.kill(before["broker"], signal.SIGKILL)
    assert _up(folder) == urls
    assert _query(urls.owner_database_url, "SELECT x FROM kept") == [(42,)]
    after = _pids(folder)
    assert after["elasticsearch"] == before["elasticsearch"]
    assert after["postgres"] != before["postgres"]
    assert after["broker"] != before["broker"]
    _query(urls.owner_database_url, "DROP TABLE kept")


def test_a_pid_file_of_another_process_neither_blocks_nor_signals_it(
    urls: stack.StackUrls, folder: Path
) -> None:
    # As after a reboot: the pid in the file belongs to another process of the same account.
    account = server_account(folder=folder)
    stranger = subprocess.Popen(["/bin/sleep", "600"], cwd="/", **account.popen_options())
    try:
        path = folder / "postgres" / "data" / "postmaster.pid"
        rest = path.read_bytes().split(b"\n", 1)[1]
        _kill(folder, "postgres")
        path.write_bytes(b"%d\n" % stranger.pid + rest)
        assert _up(folder) == urls
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_server_that_hangs_is_ended_and_started_again(
    urls: stack.StackUrls, folder: Path
) -> None:
    before = _pids(folder)
    os.kill(before["broker"], signal.SIGSTOP)
    assert {server.state for server in stack.status(folder).servers} == {"up", "starting"}
    assert _up(folder) == urls
    assert _pids(folder)["broker"] != before["broker"]


def test_a_port_taken_meanwhile_is_replaced_and_the_change_told(
    urls: stack.StackUrls, folder: Path
) -> None:
    port = _state(folder).ports["broker"]
    _kill(folder, "broker")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        wanted = [*_command(folder, "up"), "--broker-port", str(port)]
        refused = subprocess.run(wanted, capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert f"Port {port}, requested for Broker, is used" in refused.stderr
        said: list[str] = []
        changed = stack.up(folder, stack.default_options(os.environ), announce=said.append)
    assert f"Port {port} is taken by another program: Broker gets" in said[0]
    assert changed.broker_url != urls.broker_url
    assert changed.database_url == urls.database_url
    assert stack.read_urls(folder) == changed
    _pids(folder)


def test_several_at_once_do_it_once(urls: stack.StackUrls, folder: Path) -> None:
    _kill(folder, "postgres")
    commands = [
        subprocess.Popen([*_command(folder, "up"), "--json"], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    answers = [json.loads(command.communicate(timeout=120)[0]) for command in commands]
    assert [command.returncode for command in commands] == [0, 0, 0]
    assert answers == [urls.as_dict()] * 3
    log = (folder / "postgres" / "server.log").read_text()
    assert log.count("database system is ready to accept connections") == 1


def test_a_killed_elasticsearch_and_a_killed_up_are_repaired_by_the_next(
    urls: stack.StackUrls, folder: Path
) -> None:
    _http(f"{urls.elasticsearch_url}/kept", "PUT")
    _http(f"{urls.elasticsearch_url}/kept/_doc/1?refresh=true", "PUT", '{"x": 42}')
    before = _pids(folder)
    _kill(folder, "elasticsearch")
    up = [*_command(folder, "up"), "--heap-mb", "640"]
    with subprocess.Popen(up, stderr=subprocess.DEVNULL) as command:
        deadline = time.monotonic() + 60
        while not any(server.state == "starting" for server in stack.status(folder).servers):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        command.kill()
    assert _up(folder) == urls
    after = _pids(folder)
    assert after["elasticsearch"] != before["elasticsearch"]
    assert after["postgres"] == before["postgres"]
    assert _http(f"{urls.elasticsearch_url}/kept/_doc/1")["_source"] == {"x": 42}
    (node,) = _http(f"{urls.elasticsearch_url}/_nodes/jvm")["nodes"].values()
    assert 600 * 2**20 < node["jvm"]["mem"]["heap_max_in_bytes"] <= 640 * 2**20
    _http(f"{urls.elasticsearch_url}/kept", "DELETE")


def test_down_stops_only_what_it_started_and_is_safe_to_repeat(
    urls: stack.StackUrls, folder: Path
) -> None:
    before = _pids(folder)
    account = server_account(folder=folder)
    # Each has the arguments of a server, but of a stack in a folder with the same prefix.
    other = f"{folder}-other"
    strangers = [
        subprocess.Popen(
            ["/bin/bash", "-c", f'exec -a "{name}" sleep 600 2>/dev/null || sleep 600', *arguments],
            cwd="/",
            **account.popen_options(),
        )
        for name, arguments in (
            ("postgres", ("-D", f"{other}/postgres/data")),
            ("java", (f"-Dgpt4rec.stack={other}",)),
            ("tail", (str(folder / "broker" / "broker.conf"),)),
        )
    ]
    try:
        assert set(stack.down(folder)) == _SERVERS
        assert [stranger.poll() for stranger in strangers] == [None] * 3
    finally:
        for stranger in strangers:
            stranger.kill()
            stranger.wait()
    assert not [pid for pid in before.values() if Path(f"/proc/{pid}/exe").exists()]
    assert {server.state for server in stack.status(folder).servers} == {"down"}
    assert stack.read_urls(folder) is None
    assert stack.down(folder) == ()
    assert stack.down(folder.with_name("nowhere")) == ()


def test_down_with_delete_leaves_nothing_but_what_is_not_its_own(folder: Path) -> None:
    (folder / "mine").write_text("")
    stack.down(folder, delete=True)
    assert [path.name for path in folder.iterdir()] == ["mine"]
    (folder / "mine").unlink()
    folder.rmdir()
