"""The work folder of a tuning: what was measured, so that a killed one goes on where it was."""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.lab.tuning.lists.space import Setting


class WorkFolder:
    """Remembers the values of settings, and has room for arrays.

    Raises:
        UsageError: it holds unfinished work of other options or data, or cannot be written.
        ConflictError: another process works there.
    """

    def __init__(self, path: Path, decisive: Mapping[str, Any]) -> None:
        """Open or make the folder; decisive: all that the values depend on, as plain values."""
        self.path = path
        text = json.dumps(decisive, sort_keys=True)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (path / "lock").open("w")
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror}.", "Name another folder by --work."
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise ConflictError(
                f"Another tuning works in {path}.", "Wait for it, or name another folder by --work."
            ) from None
        note = path / "fingerprint"
        if note.is_file() and note.read_text() != fingerprint:
            self._lock.close()
            raise UsageError(
                f"{path} holds an unfinished tuning with other options or data.",
                "Call it as before to finish it, remove that folder, or name another by --work.",
            )
        note.write_text(fingerprint)
        self._file = path / "settings.json"
        self._known: dict[Setting, float] = {}
        if self._file.is_file():
            found = json.loads(self._file.read_text())
            self._known = {Setting(**one["setting"]): one["value"] for one in found}

    def __enter__(self) -> Self:
        """Use the folder."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the folder to the next call; remove it if no setting is measured."""
        if not self._lock.closed and not self._known:
            self.remove()
        self._lock.close()

    def value(self, setting: Setting) -> float | None:
        """Return the value of a setting; None: it was not measured."""
        return self._known.get(setting)

    def remember(self, setting: Setting, value: float) -> None:
        """Keep the value of a setting, whenever the process ends."""
        self._known[setting] = value
        rows = [{"setting": one.as_dict(), "value": value} for one, value in self._known.items()]
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps(rows))
        draft.replace(self._file)

    def remove(self) -> None:
        """Remove the folder: the work is finished, or there is nothing to go on with."""
        shutil.rmtree(self.path)
        self._lock.close()
