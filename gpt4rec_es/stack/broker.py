"""The stack's broker: a Valkey or Redis on loopback with a password, without persistence."""

import socket
import time
from pathlib import Path

from gpt4rec_es.stack import processes
from gpt4rec_es.stack.account import run_detached
from gpt4rec_es.stack.diagnostics import start_error
from gpt4rec_es.stack.options import StackOptions
from gpt4rec_es.stack.place import Place
from gpt4rec_es.stack.programs import find_broker
from gpt4rec_es.stack.reach import reachable_broker
from gpt4rec_es.stack.state import State

_START_SECONDS = 15.0
# set-proc-title no: the command line identifies the stack of the process.
_CONFIG = """\
# Written at every start of the stack; changes here are lost.
bind 127.0.0.1
protected-mode yes
port {port}
requirepass {password}
daemonize yes
set-proc-title no
save ""
appendonly no
"""


class Broker:
    """One broker in ``<folder>/broker``."""

    name = "broker"
    title = "Broker"
    port_names: tuple[str, ...] = ("broker",)
    wait_s = 3.0

    def __init__(self, place: Place, options: StackOptions) -> None:
        self._place = place
        self._choice = options.broker_bin
        self._folder = place.folder / self.name
        self._config = self._folder / "broker.conf"
        self._log = self._folder / "server.log"
        self._program: Path | None = None
        # The file name alone would also match an editor that has the file open.
        self._arguments = (str(self._config), "--logfile", str(self._log))
        self._mark = processes.Mark("", self._arguments)

    def pids(self) -> list[int]:
        """Return the processes of this broker."""
        return processes.find(self._mark, self._place.account.uid)

    def answers(self, state: State) -> bool:
        """Return whether it accepts the password and answers PING now."""
        try:
            with socket.create_connection(("127.0.0.1", state.ports["broker"]), 2) as link:
                link.sendall(f"AUTH {state.passwords['broker']}\r\nPING\r\n".encode())
                reply = b""
                while reply.count(b"\r\n") < 2 and (part := link.recv(256)):
                    reply += part
        except OSError:
            return False
        return reply == b"+OK\r\n+PONG\r\n"

    def prepare(self) -> None:
        """Find its program."""
        found = find_broker(self._choice)
        self._place.server_folder(self.name)
        self._program = reachable_broker(found, self._place.account, self._place.programs)

    def launch(self, state: State) -> None:
        """Start it; it daemonizes itself."""
        text = _CONFIG.format(port=state.ports["broker"], password=state.passwords["broker"])
        self._place.write(self._config, text)
        self._place.remove(self._log)
        code, output = run_detached(
            [str(self._program), *self._arguments], self._folder, self._place.account
        )
        if code != 0:
            raise start_error(self.title, self._log, output)

    def wait(self, state: State) -> None:
        """Wait until it answers.

        Raises:
            DependencyError: it does not answer; the message has the reason.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers(state):
            if not self.pids() or time.monotonic() > deadline:
                raise start_error(self.title, self._log, "")
            time.sleep(0.05)

    def stop(self, wait_s: float = 10.0) -> int:
        """Stop it; return the number of processes stopped."""
        return processes.stop(self._mark, self._place.account.uid, wait_s)
