"""How migrations make the views of schema analytics: rights and comments come with each view."""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class View(NamedTuple):
    """A view; ``columns`` in the order of the SELECT, each with its comment."""

    name: str
    comment: str
    columns: dict[str, str]
    select: str


def create_views(execute: Callable[[str], object], views: Sequence[View]) -> None:
    """Create the views, or replace them: then their first columns must be those there are."""
    for view in views:
        name = f"analytics.{view.name}"
        execute(f"CREATE OR REPLACE VIEW {name} ({', '.join(view.columns)}) AS {view.select}")
        execute(f"GRANT SELECT ON {name} TO gpt4rec_analyst, gpt4rec_writer")
        execute(f"COMMENT ON VIEW {name} IS {_literal(view.comment)}")
        for column, comment in view.columns.items():
            execute(f"COMMENT ON COLUMN {name}.{column} IS {_literal(comment)}")


def drop_views(execute: Callable[[str], object], views: Sequence[View]) -> None:
    """Drop the views, the last first."""
    for view in reversed(views):
        execute(f"DROP VIEW analytics.{view.name}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
