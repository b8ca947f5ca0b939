"""Which of two kernels is faster, measured once per machine and kept in a file.

Kernels round differently, so a choice that each process measures anew would give other scores in
the last digits.
"""

import fcntl
import hashlib
import json
import logging
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

log = logging.getLogger(__name__)


def verdict_file() -> Path | None:
    """Return the file for this processor, version of torch and number of threads; None: no home."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    machine = (
        _processor(),
        str(torch.__version__),
        torch.backends.cpu.get_cpu_capability(),
        str(torch.get_num_threads()),
    )
    name = hashlib.sha256("\0".join(machine).encode()).hexdigest()[:16]
    return home / ".cache" / "gpt4rec" / f"kernels-{name}.json"


class Verdicts:
    """Verdicts by the shape of a weight, in ``path``.

    The first process that needs one measures it, and all others of the machine follow. Where the
    file cannot be written, every verdict is False, so that no two processes disagree.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, bool] = {} if path is None else _read(path)

    def wins(self, weight: Any, measure: Callable[[Any], bool]) -> bool:
        """Return the verdict for weights of this shape, by ``measure`` if there is none yet."""
        key = "x".join(map(str, weight.shape))
        if key not in self._known:
            self._known = self._add(key, weight, measure)
        return self._known[key]

    def _add(self, key: str, weight: Any, measure: Callable[[Any], bool]) -> dict[str, bool]:
        path = self._path
        try:
            if path is None:
                raise PermissionError("there is no home folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                known = _read(path)
                if key not in known:
                    known[key] = measure(weight)
                    draft = path.with_suffix(f".{os.getpid()}")
                    draft.write_text(json.dumps(known), encoding="utf-8")
                    draft.replace(path)
                return known
        except OSError as error:
            log.info("torch's own kernels are used, because the choice cannot be kept: %s", error)
            return {**self._known, key: False}


def _read(path: Path) -> dict[str, bool]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): bool(value) for key, value in found.items()} if type(found) is dict else {}


def _processor() -> str:
    """Return the model of the processor and what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    kept = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    return "\n".join(sorted(kept))
