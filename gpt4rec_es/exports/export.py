"""Exports of a run's lists and queries, streamed to a file that appears only when complete.

JSON Lines stores every text unchanged. In CSV a cell that a spreadsheet
would read as a formula is prefixed with an apostrophe, unless exact cells are asked for.
"""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine

from gpt4rec_es.db.engine import disable_statement_timeout
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.analysts import stream_queries, stream_recommendations
from gpt4rec_es.errors import UsageError
from gpt4rec_es.files import open_target
from gpt4rec_es.privacy.export_register import registered
from gpt4rec_es.protocols import Progress, no_progress

# Maximum number of rows in memory.
Batches = Iterator[list[Any]]
_BATCH = 5000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(list(columns.items()))


_SCHEMA = {
    "recommendations": _schema(
        user_id=pa.string(),
        rank=pa.int32(),
        item_id=pa.string(),
        title=pa.string(),
        source=pa.string(),
        query=pa.string(),
        query_rank=pa.int32(),
        hit_rank=pa.int32(),
        score=pa.float32(),
        from_item_id=pa.string(),
        fused_score=pa.float32(),
        promoted_by=pa.string(),
        merge_rank=pa.int32(),
        rerank_score=pa.float32(),
        holdback_arm=pa.string(),
    ),
    "queries": _schema(
        user_id=pa.string(),
        query_rank=pa.int32(),
        query=pa.string(),
        beam_score=pa.float64(),
    ),
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """Result of an export; ``path`` None: stdout."""

    run_id: str
    what: str
    rows: int
    path: str | None


def export(
    engine: Engine,
    what: str,
    run_id: str,
    fmt: str,
    path: Path | None,
    *,
    as_analyst: bool = False,
    exact: bool = False,
    progress: Progress = no_progress,
) -> ExportReport:
    """Write ``what`` ("recommendations" or "queries") of a run; return the number of rows.

    path None: stdout. A file appears under its name only when it is complete. fmt "trec" is a TREC
    run file; its score is K - rank, because trec_eval sorts by score. as_analyst: with the user ids
    that analysts see, else with the shop's ids. exact: write CSV cells as they are stored, although
    a spreadsheet would read some as formulas.

    Raises:
        UsageError: there is no such run, it is not merged yet or was pruned, or the format cannot
        hold the data.
    """
    if fmt == "trec" and what != "recommendations":
        raise UsageError("Queries cannot be exported as TREC.", "Choose jsonl, csv or parquet.")
    if fmt == "parquet" and path is None:
        raise UsageError("Parquet cannot go to stdout.", "Name a file with --output.")
    with engine.connect() as connection:
        run = run_rows.find_with_lists(connection, run_id)
    write = partial(_write_csv, exact=exact) if fmt == "csv" else _WRITERS[fmt]
    with (
        open_target(path) as file,
        registered(engine, path, fmt),
        engine.connect() as connection,
    ):
        disable_statement_timeout(connection)  # the first batch waits for a sort of all rows
        stream = stream_recommendations if what == "recommendations" else stream_queries
        batches = stream(connection, run.run_id, as_analyst=as_analyst, batch=_BATCH)
        count = 0

        def counted() -> Batches:
            nonlocal count
            for batch in batches:
                count += len(batch)
                progress(count, None)
                yield batch

        write(file, what, run, counted())
    return ExportReport(run.run_id, what, count, None if path is None else str(path))


def _write_jsonl(file: BinaryIO, _what: str, _run: run_rows.Run, batches: Batches) -> None:
    for batch in batches:
        lines = (json.dumps(row._asdict(), ensure_ascii=False) for row in batch)
        file.write(("\n".join(lines) + "\n").encode())


def _write_csv(
    file: BinaryIO, what: str, _run: run_rows.Run, batches: Batches, *, exact: bool
) -> None:
    out = _TextOnBytes(file)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_SCHEMA[what].names)
    for batch in batches:
        writer.writerows(row if exact else [safe_cell(value) for value in row] for row in batch)


def safe_cell(value: Any) -> Any:
    """Return ``value`` escaped so that no spreadsheet evaluates it; numbers are unchanged."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


class _TextOnBytes:
    """Minimal text file for csv.writer on a binary file, which it does not close."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text_: str) -> int:
        return self._file.write(text_.encode())


def _write_parquet(file: BinaryIO, what: str, _run: run_rows.Run, batches: Batches) -> None:
    schema = _SCHEMA[what]
    with pq.ParquetWriter(file, schema) as writer:
        for batch in batches:
            columns = list(zip(*batch, strict=True))
            arrays = [
                pa.array(column, type=field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _write_trec(file: BinaryIO, _what: str, run: run_rows.Run, batches: Batches) -> None:
    for batch in batches:
        lines = (
            f"{word(row.user_id)} Q0 {word(row.item_id)} {row.rank} {run.k - row.rank} "
            f"{run.run_id}\n"
            for row in batch
        )
        file.write("".join(lines).encode())


def word(identifier: str) -> str:
    """Return an id for a TREC file, whose fields are separated by spaces."""
    if not identifier or any(character.isspace() for character in identifier):
        raise UsageError(
            f"The id {identifier!r} has a space, which TREC files cannot hold.",
            "Choose jsonl, csv or parquet.",
        )
    return identifier


_WRITERS: dict[str, Callable[[BinaryIO, str, run_rows.Run, Batches], None]] = {
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
    "trec": _write_trec,
}
