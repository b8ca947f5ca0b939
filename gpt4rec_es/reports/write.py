"""Use cases: make one page and write it into a folder."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.reports.night import load_night
from gpt4rec_es.reports.night_view import render_night, verdict
from gpt4rec_es.reports.pages import write


@dataclass(frozen=True, slots=True)
class Written:
    """A written page: its path, its size in bytes, and its content in one sentence."""

    path: str
    size: int
    says: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


def write_night(engine: Engine, run_id: str, folder: Path) -> Written:
    """Write the page of a run; ``latest``: of the published one.

    Raises:
        UsageError: there is no such run, or the folder cannot be written.
    """
    facts = load_night(engine, run_id)
    found = verdict(facts)
    return _written(
        folder,
        f"{facts.run['run_id']}.html",
        render_night(facts),
        f"{found.word}. {found.sentence}",
    )


def _written(folder: Path, name: str, content: str, says: str) -> Written:
    return Written(str(write(folder, name, content)), len(content.encode()), says)
