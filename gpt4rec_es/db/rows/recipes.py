"""Reads and writes of stored recipes and of the uses that decide which recipe is live.

Rows only: documents are read and checked by options/recipe_document.py, and shipped recipes are
known to gpt4rec_es/recipes only.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from gpt4rec_es.db.tables import recipe_uses, recipes


@dataclass(frozen=True, slots=True)
class RecipeRow:
    """One stored recipe; trial_no: the trial that chose it."""

    recipe_no: int
    name: str
    content_hash: str
    document: dict[str, Any]
    actor: str
    reason: str | None
    stored_at: dt.datetime
    trial_no: int | None


@dataclass(frozen=True, slots=True)
class RecipeUse:
    """One change of the live recipe. action: use or undo; recipe_no None: a shipped recipe."""

    use_no: int
    action: str
    recipe_no: int | None
    recipe_name: str
    content_hash: str
    actor: str
    reason: str | None
    used_at: dt.datetime


def store(
    connection: Connection,
    *,
    name: str,
    content_hash: str,
    document: dict[str, Any],
    actor: str,
    reason: str | None,
    trial_no: int | None = None,
) -> RecipeRow:
    """Store a recipe under a new name and return its row."""
    values = {
        "name": name,
        "content_hash": content_hash,
        "document": document,
        "actor": actor,
        "reason": reason,
        "trial_no": trial_no,
    }
    found = connection.execute(insert(recipes).values(values).returning(recipes))
    return RecipeRow(**found.mappings().one())


def load_all(connection: Connection) -> list[RecipeRow]:
    """Return the stored recipes, the oldest first."""
    found = connection.execute(select(recipes).order_by(recipes.c.recipe_no))
    return [RecipeRow(**row) for row in found.mappings()]


def find(connection: Connection, name: str) -> RecipeRow | None:
    """Return the stored recipe called ``name``; None: there is none."""
    found = connection.execute(select(recipes).where(recipes.c.name == name)).mappings().first()
    return None if found is None else RecipeRow(**found)


def add_use(
    connection: Connection,
    *,
    action: str,
    recipe_no: int | None,
    name: str,
    content_hash: str,
    actor: str,
    reason: str | None,
) -> None:
    """Make a recipe live; recipe_no None: the shipped recipe ``name``."""
    connection.execute(
        insert(recipe_uses).values(
            action=action,
            recipe_no=recipe_no,
            recipe_name=name,
            content_hash=content_hash,
            actor=actor,
            reason=reason,
        )
    )


def last_use(connection: Connection) -> RecipeUse | None:
    """Return the newest change of the live recipe; None: none was ever used."""
    newest = select(recipe_uses).order_by(recipe_uses.c.use_no.desc()).limit(1)
    found = connection.execute(newest).mappings().first()
    return None if found is None else RecipeUse(**found)


def load_uses(connection: Connection) -> list[RecipeUse]:
    """Return all changes of the live recipe, the oldest first."""
    found = connection.execute(select(recipe_uses).order_by(recipe_uses.c.use_no))
    return [RecipeUse(**row) for row in found.mappings()]
