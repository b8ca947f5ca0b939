"""Free ports on loopback: the port of the last start if possible, never a port in use."""

import secrets
import socket
import time

from gpt4rec_es.errors import ConflictError, DependencyError

# Below Linux' range of ephemeral ports (32768 and up), so that no outgoing connection takes a
# remembered port while the stack is down.
_FIRST, _LAST = 20_000, 32_000
_TRIES = 200
_PATIENCE_SECONDS = 1.0


def is_free(port: int) -> bool:
    """Return whether a server could listen on 127.0.0.1:``port`` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections in TIME_WAIT do not block the port, listeners do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _becomes_free(port: int) -> bool:
    """Return whether ``port`` is free now or soon: a killed process may hold it for a moment."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def choose(server: str, wanted: int, remembered: int | None, taken: set[int]) -> int:
    """Return a free port for ``server``: the wanted, else the remembered, else another one.

    ``taken`` has the ports chosen for other servers; ``wanted`` 0 means any.

    Raises:
        ConflictError: the wanted port is in use.
        DependencyError: none of many ports tried is free.
    """
    if wanted:
        if wanted in taken or not is_free(wanted):
            raise ConflictError(
                f"Port {wanted}, requested for {server}, is used by another program.",
                "Stop that program, or leave the port option out to get a free one.",
            )
        return wanted
    if remembered and remembered not in taken and _becomes_free(remembered):
        return remembered
    for _ in range(_TRIES):
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if port not in taken and is_free(port):
            return port
    raise DependencyError(
        f"No free port between {_FIRST} and {_LAST} was found for {server}.",
        "Name one by the port option.",
    )
