"""The live recipe: the one that nights, evaluations and tunings use unless another is named."""

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.locks import transaction_lock
from gpt4rec_es.db.rows import audit, encoders, generators, rerankers
from gpt4rec_es.db.rows import recipes as rows
from gpt4rec_es.db.rows.recipes import RecipeRow, RecipeUse
from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.recipe import NamedRecipe
from gpt4rec_es.options.recipe_document import read_document
from gpt4rec_es.recipes.lacks import generator_lack, lacks
from gpt4rec_es.recipes.shipped import DEFAULT, SHIPPED, shipped

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UseChange:
    """A change of the live recipe.

    before: its name: what this version cannot read can still be replaced.
    """

    before: str
    after: NamedRecipe

    def as_dict(self) -> dict[str, Any]:
        """Return the names, and the hash of the recipe after the change."""
        return {"before": self.before, "after": self.after.as_dict()}


@dataclass(frozen=True, slots=True)
class LiveSince:
    """The live recipe with the operator that chose it; actor None: nobody chose one."""

    recipe: NamedRecipe
    actor: str | None
    reason: str | None
    used_at: dt.datetime | None


def of_row(row: RecipeRow) -> NamedRecipe:
    """Return a stored recipe.

    Raises:
        UsageError: a newer version of this program stored it.
    """
    return NamedRecipe(row.name, read_document(row.document, f"The recipe {row.name!r}"))


def find_recipe(connection: Connection, name: str) -> NamedRecipe:
    """Return the recipe called ``name``, shipped or stored.

    Raises:
        UsageError: there is none; the hint lists the names.
    """
    if name in SHIPPED:
        return shipped(name)
    row = rows.find(connection, name)
    if row is None:
        names = [*SHIPPED, *(one.name for one in rows.load_all(connection))]
        raise UsageError(f"There is no recipe {name!r}.", f"There are: {', '.join(names)}.")
    return of_row(row)


def live_name(connection: Connection) -> str:
    """Return the name of the live recipe; as long as none was used, it is the shipped default."""
    use = rows.last_use(connection)
    return DEFAULT if use is None else use.recipe_name


def live_recipe(connection: Connection) -> NamedRecipe:
    """Return the live recipe.

    Raises:
        UsageError: a newer version of this program stored it.
    """
    return find_recipe(connection, live_name(connection))


def require_not_live(
    connection: Connection, what: Literal["encoder", "re-ranker"], name: str
) -> None:
    """Raise if the live recipe names a network; hold the lock "live recipe" until it is removed.

    Raises:
        UsageError: it does.
    """
    live = live_recipe(connection)
    named = live.recipe.encoder if what == "encoder" else live.recipe.reranker
    if named == name:
        raise UsageError(
            f"The live recipe {live.name} names the {what} {name!r}.",
            "Use another one first (`gpt4rec recipes use NAME --reason 'why'`).",
        )


def live_since(connection: Connection) -> LiveSince:
    """Return the live recipe with the change that made it live."""
    use = rows.last_use(connection)
    if use is None:
        return LiveSince(shipped(DEFAULT), None, None, None)
    return LiveSince(live_recipe(connection), use.actor, use.reason, use.used_at)


def named_or_live(connection: Connection, name: str | None) -> NamedRecipe:
    """Return the recipe called ``name``; without a name, the live one."""
    return find_recipe(connection, name) if name else live_recipe(connection)


def use_recipe(
    engine: Engine, name: str, *, actor: str, reason: str | None, dry_run: bool = False
) -> UseChange:
    """Make the recipe ``name`` the live one and return the change.

    Raises:
        UsageError: there is no such recipe, it is live already, or its re-ranker or encoder is
        not registered.
    """
    with transaction(engine) as connection:
        transaction_lock(connection, "live recipe")
        change = UseChange(live_name(connection), find_recipe(connection, name))
        if change.before == name:
            raise UsageError(f"The recipe {name!r} is live already.")
        if change.after.recipe.reranker is not None:
            rerankers.get(connection, change.after.recipe.reranker)
        if change.after.recipe.encoder is not None:
            encoders.get(connection, change.after.recipe.encoder)
        _warn_of_lacks(connection, change.after)
        if not dry_run:
            _record(connection, "use", change, actor, reason)
        return change


def undo_use(engine: Engine, *, actor: str, reason: str | None, dry_run: bool = False) -> UseChange:
    """Make the recipe before the last ``use_recipe`` live again and return the change.

    A second call undoes the use before that one.

    Raises:
        UsageError: no use is left to undo.
    """
    with transaction(engine) as connection:
        transaction_lock(connection, "live recipe")
        names = _in_use(rows.load_uses(connection))
        if not names:
            raise UsageError(
                "There is no use of a recipe to undo.", f"The shipped recipe {DEFAULT!r} is live."
            )
        before = names[-2] if names[1:] else DEFAULT
        change = UseChange(live_name(connection), find_recipe(connection, before))
        _warn_of_lacks(connection, change.after)
        if not dry_run:
            _record(connection, "undo", change, actor, reason)
        return change


def warn_of_generator(engine: Engine, chosen: generators.Generator) -> None:
    """Warn if the next night by the live recipe would be refused for the generator ``chosen``."""
    with transaction(engine) as connection:
        lack = generator_lack(live_recipe(connection), chosen)
    if lack is not None:
        log.warning("the next night here will be refused. %s %s", *lack)


def _warn_of_lacks(connection: Connection, chosen: NamedRecipe) -> None:
    """Warn of what the next night by this recipe would be refused for."""
    if chosen.recipe.needs_generator and generators.current(connection) is None:
        log.warning(
            "queries are the only source of %s, and no generator is in use: the next night "
            "will be refused until one is (`gpt4rec generators use NAME`)",
            chosen.name,
        )
    for lack in lacks(connection, chosen):
        log.warning("the next night here will be refused. %s %s", *lack)


def _in_use(uses: Sequence[RecipeUse]) -> list[str]:
    """Return the names of the uses that were not undone, the oldest first."""
    names: list[str] = []
    for use in uses:
        if use.action == "use":
            names.append(use.recipe_name)
        else:
            del names[-1:]
    return names


def _record(
    connection: Connection, action: str, change: UseChange, actor: str, reason: str | None
) -> None:
    after = change.after
    row = None if after.name in SHIPPED else rows.find(connection, after.name)
    rows.add_use(
        connection,
        action=action,
        recipe_no=row.recipe_no if row else None,
        name=after.name,
        content_hash=after.recipe.content_hash,
        actor=actor,
        reason=reason,
    )
    audit.record(
        connection,
        actor,
        f"recipe_{action}",
        after.name,
        before={"name": change.before},
        after=after.as_dict(),
        reason=reason,
    )
