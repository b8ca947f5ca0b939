"""Start, stop and report the three servers of a stack.

All functions are idempotent and hold the folder's lock, so concurrent commands wait for each other.
"""

import contextlib
import shutil
import time
from dataclasses import replace
from pathlib import Path

from gpt4rec_es.errors import Gpt4RecError
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.stack import ports
from gpt4rec_es.stack.account import require_switch, server_account
from gpt4rec_es.stack.broker import Broker
from gpt4rec_es.stack.diagnostics import PortTakenError, disk_errors_named
from gpt4rec_es.stack.elasticsearch import Elasticsearch
from gpt4rec_es.stack.options import Announce, StackOptions, ignore_announcement
from gpt4rec_es.stack.place import Place, open_place, require_own
from gpt4rec_es.stack.postgres import Postgres
from gpt4rec_es.stack.state import (
    STATE_FILE,
    Server,
    ServerStatus,
    StackStatus,
    StackUrls,
    State,
    file_lock,
    load_state,
    save_state,
)

# A new Postgres, a copy of Elasticsearch (if hard links do not work), and some data.
_NEED_BYTES = 600_000_000
_PORT_ROUNDS = 3
_HANGING_SECONDS = 5.0  # seconds for a server that did not answer to stop
# Options for functions that neither prepare nor start servers.
_ANY = StackOptions(Path("/nonexistent"), Path("/nonexistent"))


def up(
    folder: Path,
    options: StackOptions,
    progress: Progress = no_progress,
    announce: Announce = ignore_announcement,
) -> StackUrls:
    """Start the stack in ``folder``; return its addresses when all three servers answer.

    Starts servers that do not answer, creates missing folders and downloads missing archives
    (``progress`` counts bytes; ``announce`` gets lines to show). Changes nothing if all servers
    answer.

    Raises:
        DependencyError: a program is missing, or a server does not start. UsageError,
        ConflictError: an option is invalid.
    """
    folder = folder.absolute()
    account = server_account(options.account, folder)
    require_switch(account)
    place = open_place(folder, account, _NEED_BYTES)

    def on_wait() -> None:
        announce("Waiting: another command is working on this stack.")

    with disk_errors_named(), file_lock(folder / "lock", on_wait):
        state = load_state(folder) or State.fresh()
        options = replace(options, pg_bin=options.pg_bin or state.pg_bin)
        servers = _servers(place, options, progress, announce)
        down_now = [server for server in servers if not _is_ready(server, state, options)]
        for server in down_now:
            server.prepare()
        down_now = [server for server in down_now if not _answers_in_time(server, state, options)]
        state = _start(down_now, state, place, options, announce)
        if not state.started:
            state = replace(state, started=True)
            save_state(folder, state)
        return state.urls()


def down(folder: Path, delete: bool = False) -> tuple[str, ...]:
    """Stop the servers of the stack in ``folder``; return the names of the stopped ones.

    Idempotent; other processes are never signalled. ``delete`` also removes the stack's data.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        return ()
    require_own(folder)
    if not (folder / STATE_FILE).exists() and not (folder / "lock").exists():
        return ()  # not a stack's folder: leave it as it is
    place = Place(folder, server_account(folder=folder))
    with disk_errors_named(), file_lock(folder / "lock", lambda: None):
        try:
            state = load_state(folder)
        except Gpt4RecError:
            if not delete:
                raise
            state = None
        off = replace(state, started=False) if state is not None and state.started else None
        if off is not None:
            # First, so that no command uses servers that are stopping; a full disk may refuse it.
            with contextlib.suppress(OSError):
                save_state(folder, off)
        stopped = tuple(server.name for server in _servers(place, _ANY) if server.stop())
        if delete:
            _delete(folder)
        elif off is not None:
            save_state(folder, off)
    return stopped


def status(folder: Path) -> StackStatus:
    """Return the status of the stack in ``folder``, without changes."""
    folder = folder.absolute()
    try:
        state = load_state(folder) or State()
    except Gpt4RecError:
        state = State()
    place = Place(folder, server_account(folder=folder))
    found = []
    for server in _servers(place, _ANY):
        pids = server.pids()
        answers = _has_ports(server, state) and server.answers(state)
        found.append(
            ServerStatus(
                name=server.name,
                state="up" if answers else "starting" if pids else "down",
                pid=pids[0] if pids else None,
                port=state.ports.get(server.name),
            )
        )
    return StackStatus(str(folder), tuple(found))


def _servers(
    place: Place,
    options: StackOptions,
    progress: Progress = no_progress,
    announce: Announce = ignore_announcement,
) -> list[Server]:
    """Return the three servers, the slowest to start first."""
    return [
        Elasticsearch(place, options, progress, announce),
        Broker(place, options),
        Postgres(place, options),
    ]


def _has_ports(server: Server, state: State) -> bool:
    return all(name in state.ports for name in server.port_names)


def _is_ready(server: Server, state: State, options: StackOptions) -> bool:
    """Return whether ``server`` answers and has the requested options."""
    return (
        _has_ports(server, state) and _is_as_asked(server, state, options) and server.answers(state)
    )


def _is_as_asked(server: Server, state: State, options: StackOptions) -> bool:
    """Return whether the last start used the requested port and heap, if any."""
    if server.name == Elasticsearch.name and options.heap_mb not in {None, state.heap_mb}:
        return False
    return options.port(server.name) in {0, state.ports[server.name]}


def _answers_in_time(server: Server, state: State, options: StackOptions) -> bool:
    """Wait for a running ``server`` to answer; stop it and return False if it does not.

    A running server may not answer because a killed command just started it, or because it hangs.
    """
    deadline = time.monotonic() + server.wait_s
    while server.pids() and _has_ports(server, state) and time.monotonic() < deadline:
        if not _is_as_asked(server, state, options):
            break
        if server.answers(state):
            server.wait(state)
            return True
        time.sleep(0.25)
    server.stop(_HANGING_SECONDS)
    return False


def _start(
    servers: list[Server], state: State, place: Place, options: StackOptions, announce: Announce
) -> State:
    """Start ``servers`` side by side and return the state with their ports."""
    waiting = servers
    for round_ in range(_PORT_ROUNDS):
        for server in waiting:
            state = _with_choices(_with_ports(server, state, options, announce), server, options)
        for server in waiting:
            announce(f"Starting {server.title} on port {state.ports[server.name]}.")
        # Saved before the servers start, so that a killed start leaves no unknown server.
        if waiting:
            save_state(place.folder, state)
        refused: list[Server] = []
        for step in ("launch", "wait"):
            for server in [server for server in waiting if server not in refused]:
                try:
                    getattr(server, step)(state)
                except PortTakenError:
                    if round_ == _PORT_ROUNDS - 1:
                        raise
                    refused.append(server)
        waiting = refused
    return state


def _with_choices(state: State, server: Server, options: StackOptions) -> State:
    """Return the state with the options of ``server``, stored for its later starts."""
    if server.name == Postgres.name:
        return replace(state, pg_bin=options.pg_bin)
    if server.name == Elasticsearch.name:
        return replace(state, heap_mb=options.heap_mb or state.heap_mb)
    return state


def _with_ports(server: Server, state: State, options: StackOptions, announce: Announce) -> State:
    for name in server.port_names:
        before = state.ports.get(name)
        taken = {port for other, port in state.ports.items() if other != name}
        port = ports.choose(server.title, options.port(name), before, taken)
        if before and port != before and not options.port(name):
            announce(f"Port {before} is taken by another program: {server.title} gets {port}.")
        state = state.with_port(name, port)
    return state


def _delete(folder: Path) -> None:
    """Remove the stack's files, and the folder if it is empty then."""
    for name in ("postgres", "elasticsearch", "broker", "programs"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (STATE_FILE, "elasticsearch-start.log", "lock"):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
