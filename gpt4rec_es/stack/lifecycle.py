"""Brings the three servers of a stack up and down, and tells how they are.

Everything here is safe to repeat and holds the folder's lock, so two at once do not meet.
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
from gpt4rec_es.stack.options import Announce, StackOptions, be_quiet
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

# A fresh Postgres, a copy of Elasticsearch where links do not work, and some data.
_NEED_BYTES = 600_000_000
_PORT_ROUNDS = 3
_HANGING_SECONDS = 5.0  # for one that did not answer, to end by itself
# For what neither prepares nor starts anything.
_ANY = StackOptions(Path("/nonexistent"), Path("/nonexistent"))


def up(
    folder: Path,
    options: StackOptions,
    progress: Progress = no_progress,
    announce: Announce = be_quiet,
) -> StackUrls:
    """Return the addresses of the stack in ``folder``, with all three servers answering.

    Starts what does not answer, makes what does not exist, downloads what is not in the cache
    (``progress`` counts bytes; ``announce`` gets lines for people). Changes nothing when all is
    well already.

    Raises:
        DependencyError: something that is needed is missing, or a server does not start.
        UsageError, ConflictError: a choice that cannot be.
    """
    folder = folder.absolute()
    account = server_account(options.account, folder)
    require_switch(account)
    place = open_place(folder, account, _NEED_BYTES)

    def on_wait() -> None:
        announce("Waiting: another command is at work on this stack.")

    with disk_errors_named(), file_lock(folder / "lock", on_wait):
        state = load_state(folder) or State.fresh()
        options = replace(options, pg_bin=options.pg_bin or state.pg_bin)
        servers = _servers(place, options, progress, announce)
        down_now = [server for server in servers if not _is_fine(server, state, options)]
        for server in down_now:
            server.prepare()
        down_now = [server for server in down_now if not _settles(server, state, options)]
        state = _start(down_now, state, place, options, announce)
        if not state.started:
            state = replace(state, started=True)
            save_state(folder, state)
        return state.urls()


def down(folder: Path, delete: bool = False) -> tuple[str, ...]:
    """Stop what runs of the stack in ``folder`` and return its servers' names; safe to repeat.

    Other processes are never touched. ``delete`` removes the stack's data as well.
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
            # First, so that nobody is sent to servers that are going; a full disk may refuse it.
            with contextlib.suppress(OSError):
                save_state(folder, off)
        stopped = tuple(server.name for server in _servers(place, _ANY) if server.stop())
        if delete:
            _delete(folder)
        elif off is not None:
            save_state(folder, off)
    return stopped


def status(folder: Path) -> StackStatus:
    """Return how the stack in ``folder`` is; starts and changes nothing."""
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
    announce: Announce = be_quiet,
) -> list[Server]:
    """Return the three, the slowest to start first."""
    return [
        Elasticsearch(place, options, progress, announce),
        Broker(place, options),
        Postgres(place, options),
    ]


def _has_ports(server: Server, state: State) -> bool:
    return all(name in state.ports for name in server.port_names)


def _is_fine(server: Server, state: State, options: StackOptions) -> bool:
    """Return whether ``server`` answers, and is as it was asked for."""
    return (
        _has_ports(server, state) and _is_as_asked(server, state, options) and server.answers(state)
    )


def _is_as_asked(server: Server, state: State, options: StackOptions) -> bool:
    """Return whether the last start had the port, and the heap, that are asked for, if any."""
    if server.name == Elasticsearch.name and options.heap_mb not in {None, state.heap_mb}:
        return False
    return options.port(server.name) in {0, state.ports[server.name]}


def _settles(server: Server, state: State, options: StackOptions) -> bool:
    """Return whether ``server``, if alive, comes to answer; one that does not is ended.

    Alive without answering: it was started a moment ago by a command that was killed, or hangs.
    """
    deadline = time.monotonic() + server.patience
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
        # Saved before anything starts, so that a killed start leaves nothing unknown.
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
    """Return the state with what was chosen for ``server``, kept for its later starts."""
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
    """Remove what a stack consists of, and the folder if nothing else is in it."""
    for name in ("postgres", "elasticsearch", "broker", "programs"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (STATE_FILE, "elasticsearch-start.log", "lock"):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
