"""The views of schema analytics: each is a file of views/, and none belongs to a revision.

Once the newest revision is reached, migrations/env.py makes all views anew if their definitions
are others than those that the comment on the schema names, or if one is missing or too many. So a
view is changed by changing its file. A revision that changes what a view reads drops that view
itself (``DROP_VIEWS`` drops all of them): that it is missing is enough for it to be made anew.

The schema is the program's: a view in it that has no file is dropped, and what others were granted
on a view goes with the old one.
"""

import hashlib
import re
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path

from sqlalchemy import Connection, text

FOLDER = Path(__file__).with_name("views")

# All at once, so that one may read another; what reads one from outside of the schema stops it.
DROP_VIEWS = """
DO $views$
DECLARE
    names text := (
        SELECT string_agg(format('analytics.%I', relname), ', ') FROM pg_class
        WHERE relnamespace = to_regnamespace('analytics') AND relkind = 'v');
BEGIN
    IF names IS NOT NULL THEN
        EXECUTE 'DROP VIEW ' || names;
    END IF;
END
$views$
"""
_COMMENT = "Views for analysts; read-only. Definitions {}."
_STATE = text("""
SELECT obj_description(to_regnamespace('analytics'), 'pg_namespace') AS comment, ARRAY(
    SELECT relname::text FROM pg_class
    WHERE relnamespace = to_regnamespace('analytics') AND relkind = 'v') AS names
""")


def definitions() -> dict[str, str]:
    """Return the SQL of each view by its name, those that others read before the others."""
    found = {file.stem: file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.sql"))}
    read = {
        name: [other for other in re.findall(r"\banalytics\.(\w+)", sql) if other != name]
        for name, sql in found.items()
    }
    return {name: found[name] for name in TopologicalSorter(read).static_order() if name in found}


def are_current(connection: Connection) -> bool:
    """Return whether the views there are those of this code, as far as schema and names tell."""
    state = connection.execute(_STATE).one()
    views = definitions()
    return state.comment == _comment(views) and set(state.names) == set(views)


def refresh(execute: Callable[[str], object]) -> None:
    """Make all views anew, with their rights, comments and schema, by ``execute`` of SQL text.

    It is meant for one transaction: it starts by dropping them all.
    """
    execute("CREATE SCHEMA IF NOT EXISTS analytics")
    execute("GRANT USAGE ON SCHEMA analytics TO gpt4rec_analyst, gpt4rec_writer")
    execute(verbatim(DROP_VIEWS))
    views = definitions()
    for name, sql in views.items():
        execute(verbatim(sql))
        execute(_grant(name))
    execute(f"COMMENT ON SCHEMA analytics IS '{_comment(views)}'")


def verbatim(sql: str) -> str:
    """Return ``sql`` as ``text()`` takes it, and with it Alembic: a colon is only a colon."""
    return sql.strip().removesuffix(";").replace(":", r"\:")


def _grant(name: str) -> str:
    return f"GRANT SELECT ON analytics.{name} TO gpt4rec_analyst, gpt4rec_writer"


def _comment(views: dict[str, str]) -> str:
    made_from = "\n".join(line for name, sql in views.items() for line in (sql, _grant(name)))
    return _COMMENT.format(hashlib.sha256(made_from.encode()).hexdigest()[:16])
