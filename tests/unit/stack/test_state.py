import json
import os
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gpt4rec_es.errors import Gpt4RecError, UsageError
from gpt4rec_es.settings.settings import VARIABLES
from gpt4rec_es.stack import read_urls, shell_variables
from gpt4rec_es.stack.state import (
    ROLES,
    STATE_FILE,
    State,
    file_lock,
    load_state,
    save_state,
    write_private,
)

_PORTS = {"postgres": 21001, "elasticsearch": 21002, "elasticsearch_transport": 3, "broker": 21004}


def _state(started: bool = True) -> State:
    return State(ports=_PORTS, passwords=State.fresh().passwords, started=started)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = _state()
    save_state(tmp_path, state)
    assert load_state(tmp_path) == state
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]


def test_only_the_owner_can_read_the_state(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        save_state(tmp_path, _state())
    finally:
        os.umask(before)
    assert (tmp_path / STATE_FILE).stat().st_mode & 0o777 == 0o600


def test_a_save_that_fails_keeps_the_old_state(tmp_path: Path) -> None:
    old = _state()
    save_state(tmp_path, old)
    with pytest.raises(TypeError):
        save_state(tmp_path, State(ports={"postgres": object()}))  # type: ignore[dict-item]
    with pytest.raises(UnicodeEncodeError):
        write_private(tmp_path / STATE_FILE, "\udc80")
    assert load_state(tmp_path) == old
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]


def test_addresses_name_role_database_and_port() -> None:
    urls = _state().urls()
    database = [
        urlsplit(url)
        for url in (
            urls.admin_database_url,
            urls.owner_database_url,
            urls.database_url,
            urls.analyst_database_url,
        )
    ]
    assert [url.username for url in database] == list(ROLES)
    assert [url.path for url in database] == ["/postgres", "/gpt4rec", "/gpt4rec", "/gpt4rec"]
    assert {(url.scheme, url.hostname, url.port) for url in database} == {
        ("postgresql+psycopg2", "127.0.0.1", 21001)
    }
    assert urls.elasticsearch_url == "http://127.0.0.1:21002"
    broker = urlsplit(urls.broker_url)
    assert (broker.scheme, broker.hostname, broker.port) == ("redis", "127.0.0.1", 21004)
    passwords = {url.password for url in (*database, broker)}
    assert len(passwords) == 5
    assert all(password and len(password) >= 32 for password in passwords)


def test_no_representation_shows_a_password() -> None:
    state = _state()
    shown = repr(state) + repr(state.urls())
    assert not [word for word in state.passwords.values() if word in shown]


def test_addresses_are_given_only_for_a_started_stack(tmp_path: Path) -> None:
    assert read_urls(tmp_path / "nowhere") is None
    assert read_urls(tmp_path) is None
    save_state(tmp_path, _state(started=False))
    assert read_urls(tmp_path) is None
    state = _state()
    save_state(tmp_path, state)
    found = read_urls(tmp_path)
    assert found == state.urls()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 99}', '{"format": 1, "ports": {}}', "\udcff"]
)
def test_a_damaged_state_is_named_with_the_way_out(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_FILE).write_text(text, "utf-8", "surrogateescape")
    assert read_urls(tmp_path) is None
    with pytest.raises(Gpt4RecError, match="damaged") as caught:
        load_state(tmp_path)
    assert "down --delete" in caught.value.hint


def test_a_state_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).mkdir()
    with pytest.raises(Gpt4RecError, match="cannot be read: Is a directory"):
        load_state(tmp_path)


def test_the_state_is_plain_json(tmp_path: Path) -> None:
    save_state(tmp_path, _state())
    assert json.loads((tmp_path / STATE_FILE).read_text())["ports"] == _PORTS


def test_the_lock_is_held_by_one_and_given_on(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        def on_wait() -> None:
            order.append("waits")
            waiting.set()

        with file_lock(path, on_wait):
            order.append("second")

    thread = threading.Thread(target=second)
    with file_lock(path, lambda: order.append("never")):
        thread.start()
        assert waiting.wait(30)
        order.append("first done")
    thread.join(30)
    assert order == ["waits", "first done", "second"]


def test_a_lock_whose_file_was_deleted_meanwhile_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    waiting = threading.Event()
    held: list[bool] = []

    def second() -> None:
        with file_lock(path, waiting.set):
            held.append(path.exists())

    thread = threading.Thread(target=second)
    with file_lock(path, lambda: None):
        thread.start()
        assert waiting.wait(30)
        path.unlink()
    thread.join(30)
    assert held == [True]


def test_variables_for_a_shell_are_those_of_the_settings_and_of_libpq(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No stack is up"):
        shell_variables(tmp_path)
    save_state(tmp_path, _state())
    found = shell_variables(tmp_path)
    assert set(found) <= set(VARIABLES)
    assert all("psycopg2" not in url for url in found.values())
    assert found["GPT4REC_ANALYST_DATABASE_URL"].startswith("postgresql://gpt4rec_analyst:")
