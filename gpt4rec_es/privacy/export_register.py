"""The register of exported files, so that a user can be erased in them, and erasing there.

A file is registered before it is written: one that is registered and was never written does no
harm. Whoever erases waits for no export: it is refused while one is under way.
"""

import csv
import json
import os
import socket
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.errors import DataError

LOCK = "exports"


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One registered file; ``host`` is the machine whose file it is."""

    host: str
    path: str
    fmt: str

    @property
    def is_here(self) -> bool:
        """Whether it was written on this machine."""
        return self.host == socket.gethostname()


@contextmanager
def registered(engine: Engine, path: Path | None, fmt: str) -> Iterator[None]:
    """Register ``path`` (None: stdout, which nobody can register) while the block writes it."""
    if path is None:
        yield
        return
    with locks.hold_lock(engine, LOCK, shared=True):
        with transaction(engine) as connection:
            connection.execute(
                text("""
                INSERT INTO exports (host, path, format) VALUES (:host, :path, :format)
                ON CONFLICT (host, path) DO UPDATE SET format = excluded.format,
                    exported_at = clock_timestamp()
                """),
                {"host": socket.gethostname(), "path": str(path.resolve()), "format": fmt},
            )
        yield


def load_exports(connection: Connection) -> list[ExportedFile]:
    """Return all registered files, in order."""
    found = connection.execute(text("SELECT host, path, format FROM exports ORDER BY host, path"))
    return [ExportedFile(*row) for row in found]


def erase(file: ExportedFile, ids: Collection[str]) -> bool:
    """Take the rows of a user, known by any of ``ids``, out of a file; return whether it changed.

    A file whose format has no rows by user is deleted: it can be exported anew. One that is gone
    is left alone.

    Raises:
        DataError: it cannot be read or written, or is not what was exported.
    """
    path = Path(file.path)
    if not path.exists():
        return False
    try:
        if file.fmt not in _ERASERS:
            path.unlink()
            return True
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            kept = Path(folder) / "kept"
            if not _ERASERS[file.fmt](path, kept, frozenset(ids)):
                return False
            kept.chmod(path.stat().st_mode)
            with kept.open("rb") as written:
                os.fsync(written.fileno())
            kept.replace(path)
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(
            f"The user cannot be erased from {path}: {error}.",
            "Mend or remove the file, then run this again; nothing was erased in Postgres yet.",
        ) from error
    return True


def _open(path: Path, mode: Literal["r", "w"]) -> TextIO:
    """Open a text whose line ends stay as they are."""
    return path.open(mode, encoding="utf-8", newline="")


def _erase_lines(path: Path, kept: Path, belongs: Callable[[str], bool]) -> bool:
    found = False
    with _open(path, "r") as old, _open(kept, "w") as new:
        for line in old:
            if belongs(line):
                found = True
            else:
                new.write(line)
    return found


def _erase_jsonl(path: Path, kept: Path, ids: frozenset[str]) -> bool:
    return _erase_lines(path, kept, lambda line: json.loads(line)["user_id"] in ids)


def _erase_trec(path: Path, kept: Path, ids: frozenset[str]) -> bool:
    return _erase_lines(path, kept, lambda line: line.partition(" ")[0] in ids)


def _erase_csv(path: Path, kept: Path, ids: frozenset[str]) -> bool:
    found = False
    cells = ids | {f"'{one}" for one in ids}  # what could be a formula was written so
    with _open(path, "r") as old, _open(kept, "w") as new:
        reader = csv.reader(old, strict=True)
        writer = csv.writer(new, lineterminator="\n")
        header = next(reader, [])
        place = header.index("user_id")
        writer.writerow(header)
        for row in reader:
            if row[place] in cells:
                found = True
            else:
                writer.writerow(row)
    return found


def _erase_parquet(path: Path, kept: Path, ids: frozenset[str]) -> bool:
    found = False
    with pq.ParquetFile(path) as old, pq.ParquetWriter(kept, old.schema_arrow) as new:
        for batch in old.iter_batches():
            theirs = pc.is_in(batch.column("user_id"), value_set=pa.array(sorted(ids)))
            others = batch.filter(pc.invert(theirs))
            found = found or others.num_rows < batch.num_rows
            new.write_batch(others)
    return found


_ERASERS: dict[str, Callable[[Path, Path, frozenset[str]], bool]] = {
    "jsonl": _erase_jsonl,
    "csv": _erase_csv,
    "parquet": _erase_parquet,
    "trec": _erase_trec,
}
