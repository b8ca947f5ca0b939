"""Stored trials of recipes: show one, and make its recipe the live one."""

from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import builds, encoders, rerankers
from gpt4rec_es.db.rows import list_trials as rows
from gpt4rec_es.db.rows.list_trials import ListTrialRow
from gpt4rec_es.elastic.similarity import other_than_default, same_bm25, same_field_bm25
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.index.bm25 import set_bm25
from gpt4rec_es.index.live import live_build
from gpt4rec_es.options.recipe import NamedRecipe
from gpt4rec_es.options.recipe_document import read_document
from gpt4rec_es.recipes.live import UseChange, live_recipe, use_recipe
from gpt4rec_es.recipes.store import store_recipe
from gpt4rec_es.records import Bm25


@dataclass(frozen=True, slots=True)
class ListTrialReport:
    """A trial of recipes with its rows, each as plain values by column."""

    trial: ListTrialRow
    settings: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]


def list_list_trials(engine: Engine) -> list[ListTrialRow]:
    """Return all trials of recipes, newest first."""
    with transaction(engine) as connection:
        return rows.load_all(connection)


def show_list_trial(engine: Engine, trial_no: int) -> ListTrialReport | None:
    """Return a trial of recipes with all its rows; None: there is none of this number."""
    with transaction(engine) as connection:
        trial = rows.find(connection, trial_no)
        if trial is None:
            return None
        return ListTrialReport(
            trial,
            rows.load_settings(connection, trial_no),
            rows.load_comparisons(connection, trial_no),
        )


def promote_list_trial(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    trial: ListTrialRow,
    *,
    actor: str,
    reason: str | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> UseChange:
    """Store the recipe of ``trial`` as ``trial-N``, make it the live one, and return the change.

    Its k1 and b of fields become live before it; a trial without any asks no server. force: also if
    the trial recommends the live recipe, or another one, or other k1 and b, are live now.

    Raises:
        UsageError: the trial recommends the live recipe, its recipe is live, or its re-ranker or
        encoder is not registered.
        ConflictError: another recipe is live than the one it was compared with, or other k1 and b.
        DependencyError: the server cannot be reached.
    """
    number = trial.trial_no
    recipe = read_document(trial.document, f"The recipe of trial {number}")
    with transaction(engine) as connection:
        live = live_recipe(connection)
        if recipe.reranker is not None:
            rerankers.get(connection, recipe.reranker)
        if recipe.encoder is not None:
            encoders.get(connection, recipe.encoder)
    if not force:
        if not trial.is_change:
            raise UsageError(
                f"Trial {number} changes nothing: {trial.verdict}",
                "Make its recipe live all the same: --force.",
            )
        if live.recipe.content_hash not in {trial.live_hash, trial.content_hash}:
            raise ConflictError(
                f"The recipe {live.name!r} is live now; trial {number} compared with "
                f"{trial.live_name!r}.",
                "Tune again, or --force.",
            )
    is_live = live.recipe.content_hash == trial.content_hash
    if is_live and not trial.field_bm25:
        raise UsageError(f"The recipe of trial {number} is live already, as {live.name!r}.")
    name = f"trial-{number}"
    why = f"trial {number}" + (", forced" if force else "") + (f": {reason}" if reason else "")
    if trial.field_bm25:
        # Before the recipe: until a recipe searches these fields, no list depends on them.
        _set_fields(engine, client, alias, trial, actor, why, force=force, dry_run=dry_run)
    if is_live:
        return UseChange(live.name, live)
    if dry_run:
        return UseChange(live.name, NamedRecipe(name, recipe))
    store_recipe(engine, name, recipe, actor=actor, reason=why, trial_no=number)
    return use_recipe(engine, name, actor=actor, reason=why)


def _set_fields(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    trial: ListTrialRow,
    actor: str,
    why: str,
    *,
    force: bool,
    dry_run: bool,
) -> None:
    wanted = {field: Bm25(*one) for field, one in (trial.field_bm25 or {}).items()}
    now = live_build(engine, client, alias)
    with transaction(engine) as connection:
        measured = builds.load(connection, trial.build_no)
    # As after a promotion that was killed.
    is_live = same_field_bm25(other_than_default({**now.field_bm25, **wanted}), now.field_bm25)
    same = same_bm25(measured.bm25, now.bm25) and (
        is_live or same_field_bm25(measured.field_bm25, now.field_bm25)
    )
    if not same and not force:
        raise ConflictError(
            f"k1 and b changed since trial {trial.trial_no} was measured (build "
            f"{measured.build_no}, now {now.build_no}).",
            "Tune again, or --force.",
        )
    if not is_live:
        set_bm25(engine, client, alias, fields=wanted, actor=actor, reason=why, dry_run=dry_run)
