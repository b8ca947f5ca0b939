"""Store recipes, and list all of an installation. A stored recipe never changes."""

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.locks import transaction_lock
from gpt4rec_es.db.rows import audit
from gpt4rec_es.db.rows import recipes as rows
from gpt4rec_es.db.rows.recipes import RecipeRow
from gpt4rec_es.errors import UsageError
from gpt4rec_es.files import require_regular
from gpt4rec_es.options.recipe import Recipe, differences
from gpt4rec_es.options.recipe_document import parse_document
from gpt4rec_es.recipes.live import find_recipe, live_name, named_or_live, of_row
from gpt4rec_es.recipes.shipped import SHIPPED, shipped

_NAME = re.compile(r"\w[\w.-]{0,62}")
# Names under which trials of recipes are promoted; one taken by hand would block the promotion.
_OF_TRIAL = re.compile(r"trial-\d+", re.IGNORECASE)
_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class RecipeEntry:
    """One recipe of the installation; what only stored ones have is None for shipped ones."""

    name: str
    is_live: bool
    is_shipped: bool
    content_hash: str
    document: dict[str, Any]
    actor: str | None = None
    reason: str | None = None
    stored_at: dt.datetime | None = None
    trial_no: int | None = None


def list_recipes(engine: Engine) -> list[RecipeEntry]:
    """Return the shipped recipes, then the stored ones, the oldest first."""
    with transaction(engine) as connection:
        live = live_name(connection)
        stored = rows.load_all(connection)
    return [_of_shipped(name, live) for name in SHIPPED] + [_of_stored(one, live) for one in stored]


def show_recipe(engine: Engine, name: str | None = None) -> RecipeEntry:
    """Return the recipe ``name``; without a name, the live one.

    Raises:
        UsageError: there is no such recipe.
    """
    with transaction(engine) as connection:
        live = live_name(connection)
        wanted = name or live
        row = rows.find(connection, wanted)
        if row is not None:
            return _of_stored(row, live)
        return _of_shipped(find_recipe(connection, wanted).name, live)


def diff_recipes(engine: Engine, first: str, second: str | None = None) -> dict[str, Any]:
    """Return the names of two recipes and the entries of ``second`` that differ from ``first``.

    second None: the live one. differences: dotted name -> [value in first, value in second].

    Raises:
        UsageError: there is no such recipe.
    """
    with transaction(engine) as connection:
        a, b = find_recipe(connection, first), named_or_live(connection, second)
    return {"first": a.name, "second": b.name, "differences": differences(a.recipe, b.recipe)}


def read_recipe(file: Path) -> Recipe:
    """Return the recipe in a JSON file.

    Raises:
        UsageError: the file cannot be read, or is no valid recipe.
    """
    try:
        require_regular(file)
        if file.stat().st_size > _LARGEST:
            raise UsageError(f"{file} is longer than {_LARGEST:,} bytes.", "Name a recipe's file.")
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{file} cannot be read: {why}.", "Name a JSON file in UTF-8.") from None
    return parse_document(text, str(file))


def store_recipe(
    engine: Engine,
    name: str,
    recipe: Recipe,
    *,
    actor: str,
    reason: str | None = None,
    trial_no: int | None = None,
    dry_run: bool = False,
) -> bool:
    """Store ``recipe`` as ``name``; return False if it is stored under this name already.

    Raises:
        UsageError: the name is no name, that of a shipped recipe, of a trial (unless it is
        ``trial_no``'s), or of another content.
    """
    _require_name(name)
    with transaction(engine) as connection:
        transaction_lock(connection, "recipe names")
        known = rows.find(connection, name)
        if known is not None:
            if of_row(known).recipe == recipe:
                return False
            raise UsageError(
                f"A recipe {name!r} with other content is stored, and recipes never change.",
                "Choose another name.",
            )
        if _OF_TRIAL.fullmatch(name) and name != f"trial-{trial_no}":
            raise UsageError(
                f"{name!r} is kept for the recipe that `gpt4rec tune promote` takes from a trial.",
                "Choose another name.",
            )
        if not dry_run:
            document, content_hash = recipe.as_document(), recipe.content_hash
            rows.store(
                connection,
                name=name,
                content_hash=content_hash,
                document=document,
                actor=actor,
                reason=reason,
                trial_no=trial_no,
            )
            audit.record(
                connection,
                actor,
                "recipe_store",
                name,
                after={"content_hash": content_hash, "document": document},
                reason=reason,
            )
    return True


def _require_name(name: str) -> None:
    if name in SHIPPED:
        raise UsageError(f"{name!r} is the name of a shipped recipe.", "Choose another name.")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a recipe.",
            "Use letters, digits, dots and dashes, at most 63.",
        )


def _of_shipped(name: str, live: str) -> RecipeEntry:
    recipe = shipped(name).recipe
    return RecipeEntry(name, name == live, True, recipe.content_hash, recipe.as_document())


def _of_stored(row: RecipeRow, live: str) -> RecipeEntry:
    """Return a stored recipe as it was written, also if this version cannot read it."""
    return RecipeEntry(
        row.name,
        row.name == live,
        False,
        row.content_hash,
        row.document,
        row.actor,
        row.reason,
        row.stored_at,
        row.trial_no,
    )
