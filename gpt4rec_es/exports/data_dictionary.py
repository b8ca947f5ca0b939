"""The data dictionary for analysts, made from the comments in the database.

The database is asked, not the migrations, so what is documented is what is there. The rest of the
document is written by hand and left alone.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.errors import UsageError

BEGIN = "<!-- dictionary: begin (made by `gpt4rec db dictionary`; change the comments instead) -->"
END = "<!-- dictionary: end -->"

_COLUMNS = text("""
SELECT c.relname, obj_description(c.oid, 'pg_class') AS view_comment, a.attname,
    format_type(a.atttypid, NULL) AS type, col_description(c.oid, a.attnum) AS comment
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind = 'v'
AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
""")
# Shorter words for what Postgres spells out.
_TYPES = {"timestamp with time zone": "timestamptz"}


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """One column of a view: ``comment`` is None where nobody wrote one."""

    name: str
    type: str
    comment: str | None


@dataclass(frozen=True, slots=True)
class View:
    """One view of schema analytics, its columns in their order."""

    name: str
    comment: str | None
    columns: tuple[ViewColumn, ...]


def load_views(connection: Connection) -> list[View]:
    """Return the views of schema analytics by name.

    Raises:
        UsageError: there are none.
    """
    exists = connection.execute(text("SELECT to_regnamespace('analytics') IS NOT NULL"))
    rows = connection.execute(_COLUMNS).all() if exists.scalar_one() else []
    if not rows:
        raise UsageError("This database has no analytics views.", "Run `gpt4rec db upgrade`.")
    views: dict[str, tuple[str | None, list[ViewColumn]]] = {}
    for row in rows:
        _, columns = views.setdefault(row.relname, (row.view_comment, []))
        columns.append(ViewColumn(row.attname, _TYPES.get(row.type, row.type), row.comment))
    return [View(name, comment, tuple(columns)) for name, (comment, columns) in views.items()]


def render(views: list[View]) -> str:
    """Return the dictionary as Markdown: one heading and one table per view."""
    return "\n\n".join(_section(view) for view in views)


def update_document(engine: Engine, path: Path, *, write: bool = True) -> bool:
    """Put the dictionary between the markers of the file; return whether that changes it.

    Raises:
        UsageError: there is no such file, it has no markers, or the database has no views.
        DependencyError: the server cannot be reached.
    """
    try:
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


def _section(view: View) -> str:
    lines = [f"### {view.name}", "", view.comment or "", "", "| column | type | meaning |"]
    lines.append("|---|---|---|")
    lines += [
        f"| `{column.name}` | {column.type} | {_cell(column.comment or '')} |"
        for column in view.columns
    ]
    return "\n".join(lines)


def _cell(comment: str) -> str:
    return comment.replace("|", "\\|")
