"""Use cases: make one page and write it into a folder.

A page that shows users is registered as an export is, where the caller may write to the database:
as wanted before it is made, so that `runs status` names one that was not completed, and as a file
before it is written, so that `users forget` names it.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.options.item_pictures import ItemPictures
from gpt4rec_es.privacy.export_register import registered
from gpt4rec_es.reports.index import render_index
from gpt4rec_es.reports.measured import render_evaluations
from gpt4rec_es.reports.night import find_run, load_night
from gpt4rec_es.reports.night_view import render_mail, render_night, verdict
from gpt4rec_es.reports.page import Link, Page, render_page
from gpt4rec_es.reports.pages import write
from gpt4rec_es.reports.tuned import render_trial
from gpt4rec_es.reports.two_runs import render_two_runs
from gpt4rec_es.reports.users import load_card

INDEX = "index.html"
FORMAT = "html"


@dataclass(frozen=True, slots=True)
class Written:
    """A written page: its path, its size in bytes, and its content in one sentence."""

    path: str
    size: int
    says: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where pages come from and go: an engine that reads views, a folder, and a register.

    register: an engine that may write; None: pages that show users are not registered. pictures: of
    items on pages of nights and users; None: without.
    """

    engine: Engine
    folder: Path
    register: Engine | None = None
    pictures: ItemPictures | None = None

    def put(self, name: str, made: Callable[[], tuple[str, str]], *, users: bool) -> Written:
        """Write the page that ``made`` returns with its sentence; ``users``: it shows some."""
        path = self.folder / name
        with (
            registered(self.register, path, FORMAT, is_made=False)
            if users and self.register
            else nullcontext(lambda: None)
        ) as begin:
            content, says = made()
            begin()
            return Written(str(write(self.folder, name, content)), len(content.encode()), says)


def write_night(desk: Desk, run_id: str) -> Written:
    """Write the page of a run; ``latest``: of the published one.

    Raises:
        UsageError: there is no such run, or the folder cannot be written.
    """
    run_id = _exact(desk, run_id)

    def made() -> tuple[str, str]:
        facts = load_night(desk.engine, run_id)
        found = verdict(facts)
        return render_night(
            facts, _links(desk, facts.earlier_run), desk.pictures
        ), f"{found.word}. {found.sentence}"

    return desk.put(f"{run_id}.html", made, users=True)


def write_mail(desk: Desk, run_id: str) -> Written:
    """Write the page of a run in a short version for mail; it shows no user.

    Raises:
        UsageError: there is no such run, or the folder cannot be written.
    """
    run_id = _exact(desk, run_id)

    def made() -> tuple[str, str]:
        facts = load_night(desk.engine, run_id)
        return render_mail(facts), f"{verdict(facts).word}, for mail."

    return desk.put(f"{run_id}-mail.html", made, users=False)


def night_path(desk: Desk, run_id: str) -> str:
    """Return the path of the page of a run, as it is registered."""
    return str((desk.folder / f"{run_id}.html").resolve())


def write_index(desk: Desk) -> Written:
    """Write the page of all nights, with links to the pages in the folder.

    Raises:
        UsageError: the folder cannot be written.
    """
    folder = desk.folder
    there = {path.name for path in folder.glob("*.html")} if folder.is_dir() else set()
    return desk.put(
        INDEX, lambda: (render_index(desk.engine, there - {INDEX}), "Nights."), users=False
    )


def write_user(desk: Desk, run_id: str, user_id: str) -> Written:
    """Write the page of one user in a run, by the id that analysts see.

    Raises:
        UsageError: there is no such run, or it has no such user.
    """
    run_id = _exact(desk, run_id)
    # An id may be no name of a file.
    digest = hashlib.sha256(user_id.encode()).hexdigest()[:12]

    def made() -> tuple[str, str]:
        with desk.engine.connect() as connection:
            card = load_card(connection, run_id, user_id)
        page = Page(
            "One user",
            f"From purchases to recommendations, run {run_id}",
            links=_links(desk, run_id),
            cards=[card],
            footer=f"Page of run {run_id}.",
        )
        return render_page(page, desk.pictures), f"User {user_id}."

    return desk.put(f"{run_id}-user-{digest}.html", made, users=True)


def write_two_runs(desk: Desk, first: str, second: str) -> Written:
    """Write the page that compares two runs.

    Raises:
        UsageError: there is no such run.
    """
    first, second = _exact(desk, first), _exact(desk, second)
    return desk.put(
        f"{first}-to-{second}.html",
        lambda: (render_two_runs(desk.engine, first, second), f"{second} against {first}."),
        users=False,
    )


def write_evaluations(desk: Desk, ids: Sequence[int]) -> Written:
    """Write the page of evaluations, by number; the first is what others are compared with.

    Raises:
        UsageError: there is no such evaluation.
    """
    names = "-".join(map(str, dict.fromkeys(ids)))
    return desk.put(
        f"evaluation-{names}.html",
        lambda: (render_evaluations(desk.engine, ids), f"Evaluation {names}."),
        users=False,
    )


def write_trial(desk: Desk, trial_id: int) -> Written:
    """Write the page of a trial.

    Raises:
        UsageError: there is no such trial.
    """
    return desk.put(
        f"trial-{trial_id}.html",
        lambda: (render_trial(desk.engine, trial_id), f"Trial {trial_id}."),
        users=False,
    )


def _exact(desk: Desk, run_id: str) -> str:
    with desk.engine.connect() as connection:
        return find_run(connection, run_id)


def _links(desk: Desk, run_id: str | None) -> list[Link]:
    """Return links to the page of all nights and to that of a run, as far as these exist."""
    wanted = [(INDEX, "All nights"), (f"{run_id}.html", str(run_id))]
    return [Link(name, text) for name, text in wanted if (desk.folder / name).is_file()]
