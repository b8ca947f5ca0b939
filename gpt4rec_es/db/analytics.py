"""The views of schema analytics: each is a file of views/, and none belongs to a revision.

Once the newest revision is reached, migrations/env.py makes all views anew if their definitions are
not those that the comment on the schema names, or if a view is missing or has no file. To change a
view, change its file. A revision that changes what a view reads drops that view itself
(``DROP_VIEWS`` drops all of them); a missing view is created again.

The schema belongs to the program: a view in it that has no file is dropped, and privileges granted
on a view are lost when the view is dropped.
"""

import hashlib
import re
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path

from sqlalchemy import Connection, text

FOLDER = Path(__file__).with_name("views")

# All views in one statement, because views read each other; a dependent object outside the schema
# makes it fail.
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
    """Return view name -> SQL, in order of dependency."""
    found = {file.stem: file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.sql"))}
    read = {
        name: [other for other in re.findall(r"\banalytics\.(\w+)", sql) if other != name]
        for name, sql in found.items()
    }
    return {name: found[name] for name in TopologicalSorter(read).static_order() if name in found}


def are_current(connection: Connection) -> bool:
    """Return whether the database has this code's views, by the schema's comment and view names."""
    state = connection.execute(_STATE).one()
    views = definitions()
    return state.comment == _comment(views) and set(state.names) == set(views)


def refresh(execute: Callable[[str], object]) -> None:
    """Create all views again, with privileges, comments and schema, by ``execute`` of SQL text.

    Call it in one transaction: it first drops all views.
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
    """Return ``sql`` with colons escaped for ``text()`` and Alembic."""
    return sql.strip().removesuffix(";").replace(":", r"\:")


def _grant(name: str) -> str:
    return f"GRANT SELECT ON analytics.{name} TO gpt4rec_analyst, gpt4rec_writer"


def _comment(views: dict[str, str]) -> str:
    made_from = "\n".join(line for name, sql in views.items() for line in (sql, _grant(name)))
    return _COMMENT.format(hashlib.sha256(made_from.encode()).hexdigest()[:16])
