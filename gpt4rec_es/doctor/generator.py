"""The generator of the next night: its files, their disk, and the device it runs on."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.doctor.findings import Finding, error, ok, warning
from gpt4rec_es.elastic.disk import readable
from gpt4rec_es.protocols import QueryGenerator
from gpt4rec_es.settings import Settings

_LITTLE_BYTES = 2 * 2**30


def current(
    engine: Engine, open_generator: Callable[[Generator], QueryGenerator]
) -> Iterator[Finding]:
    """Say whether the files of the generator in use are those that were registered."""
    with transaction(engine) as connection:
        row = generators.current(connection)
    if row is None:
        yield error(
            "No query generator is in use.",
            "Train one (`gpt4rec train generator`) or choose one (`gpt4rec generators use NAME`).",
        )
        return
    if open_generator(row).content_hash != row.content_hash:
        yield error(
            f"The files of generator {row.name} changed since it was registered.",
            f"Put them back, or register {row.path} under another name and use that.",
        )
        return
    if row.path is None:
        yield ok(f"{row.name}, which needs no files")
        return
    free = shutil.disk_usage(Path(row.path)).free
    said = f"{row.name} in {row.path} is as registered; {readable(free)} of its disk are free"
    if free < _LITTLE_BYTES:
        yield warning(said, "Training needs room for checkpoints: free or add disk space.")
    else:
        yield ok(said)


def device(settings: Settings, describe: Callable[[str], str]) -> Iterator[Finding]:
    """Say what the model would run on here."""
    found = describe(settings.generator.device)
    if settings.night.decoding.dtype == "fp16" and found.startswith("CPU"):
        yield warning(
            "GPT4REC_DTYPE is fp16, but the model runs on the CPU, where that is slow.",
            "Set GPT4REC_DTYPE=fp32 on machines without a GPU.",
        )
    yield ok(found)
