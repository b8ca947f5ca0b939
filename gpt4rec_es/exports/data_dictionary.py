"""The data dictionary for analysts, made from the comments in the database.

It reads the comments from the database, so it documents the existing views. Text outside the
markers is not changed.
"""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.analysts import ViewColumn, view_columns
from gpt4rec_es.errors import UsageError
from gpt4rec_es.files import require_regular

BEGIN = "<!-- dictionary: begin (made by `gpt4rec db dictionary`; change the comments instead) -->"
END = "<!-- dictionary: end -->"

# Short names of Postgres types.
_TYPES = {"timestamp with time zone": "timestamptz"}


@dataclass(frozen=True, slots=True)
class DocumentedView:
    """One view of schema analytics, its columns in their order."""

    name: str
    comment: str | None
    columns: tuple[ViewColumn, ...]


def load_views(connection: Connection) -> list[DocumentedView]:
    """Return the views of schema analytics by name.

    Raises:
        UsageError: there are none.
    """
    found = view_columns(connection)
    if not found:
        raise UsageError("This database has no analytics views.", "Run `gpt4rec db upgrade`.")
    views = [tuple(columns) for _, columns in groupby(found, key=lambda column: column.view)]
    return [DocumentedView(columns[0].view, columns[0].view_comment, columns) for columns in views]


def render(views: list[DocumentedView]) -> str:
    """Return the dictionary as Markdown: one heading and one table per view."""
    return "\n\n".join(_section(view) for view in views)


def update_document(engine: Engine, path: Path, *, write: bool = True) -> bool:
    """Write the dictionary between the markers of the file; return whether the file differs.

    Raises:
        UsageError: there is no such file, it has no markers, or the database has no views.
        DependencyError: the server cannot be reached.
    """
    try:
        require_regular(path)
        before = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Give --file.") from error
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"{path} has no place for the dictionary.", f"Add {BEGIN} and {END}.")
    with transaction(engine) as connection:
        views = load_views(connection)
    after = f"{head}{BEGIN}\n\n{render(views)}\n\n{END}{tail}"
    if write and after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


def _section(view: DocumentedView) -> str:
    lines = [f"### {view.name}", "", view.comment or "", "", "| column | type | meaning |"]
    lines.append("|---|---|---|")
    lines += [
        f"| `{name}` | {_TYPES.get(type_, type_)} | {_cell(comment or '')} |"
        for *_, name, type_, comment in view.columns
    ]
    return "\n".join(lines)


def _cell(comment: str) -> str:
    return comment.replace("|", "\\|")
