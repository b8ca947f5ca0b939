"""The Runtime of this worker process: a new one after a fork, built when first needed."""

import os
import socket
import uuid

from gpt4rec_es.runtime import Runtime

_runtimes: dict[int, Runtime] = {}
_OWNER_SUFFIX = uuid.uuid4().hex[:6]


def process_runtime() -> Runtime:
    """Return this process's Runtime; children never use connections of the parent."""
    pid = os.getpid()
    if pid not in _runtimes:
        _runtimes.clear()
        _runtimes[pid] = Runtime.from_environment()
    return _runtimes[pid]


def owner() -> str:
    """Return the name under which this process holds leases: host, process id, start."""
    return f"{socket.gethostname()}:{os.getpid()}:{_OWNER_SUFFIX}"
