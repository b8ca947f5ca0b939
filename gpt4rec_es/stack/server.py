"""What the three servers of a stack have in common, and how their condition is told."""

from dataclasses import dataclass
from typing import Protocol

from gpt4rec_es.stack.state import State


class Server(Protocol):
    """What the three servers have in common; their own modules say more."""

    name: str
    title: str
    port_names: tuple[str, ...]
    patience: float

    def pids(self) -> list[int]:
        """Return its processes."""

    def answers(self, state: State) -> bool:
        """Return whether it, and not another, answers now."""

    def prepare(self) -> None:
        """Find and fetch what a start needs."""

    def launch(self, state: State) -> None:
        """Start it."""

    def wait(self, state: State) -> None:
        """Return when it is ready for use."""

    def stop(self, patience: float = ...) -> int:
        """End it, by force after ``patience`` seconds; return how many processes there were."""


@dataclass(frozen=True)
class ServerStatus:
    """How one server is: ``state`` is up, starting (or hanging), or down."""

    name: str
    state: str
    pid: int | None
    port: int | None


@dataclass(frozen=True)
class StackStatus:
    """How a stack is."""

    folder: str
    servers: tuple[ServerStatus, ...]

    @property
    def is_up(self) -> bool:
        """Whether all three servers answer."""
        return bool(self.servers) and all(server.state == "up" for server in self.servers)
