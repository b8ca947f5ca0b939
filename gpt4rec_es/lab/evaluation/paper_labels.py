"""Labels of stored evaluations: two that measure other things have other labels."""

from collections.abc import Iterable, Sequence
from typing import Any

from gpt4rec_es.db.rows.evaluations import StoredEvaluation

# Characters of a recipe's hash that tell changed recipes apart.
_HASH = 6


def label_of(evaluation: StoredEvaluation) -> str:
    """Return the method of an evaluation, with its recipe or re-ranker, or number of queries."""
    options = evaluation.options
    if evaluation.method == "product" and options.get("recipe"):
        return f"product {_recipe(evaluation)}"
    if evaluation.method == "reranker":
        return f"reranker {options['reranker']['name']}"
    if evaluation.num_queries is not None:
        return f"{evaluation.method} m={evaluation.num_queries}"
    return evaluation.method


def labels_of(evaluations: Iterable[StoredEvaluation]) -> dict[int, str]:
    """Return labels by evaluation number; those of one label measure the same.

    A label has a detail (number of queries, generator, recipe, re-ranker, encoder, rules) only
    where evaluations of one ``label_of`` differ in it.
    """
    groups: dict[str, list[StoredEvaluation]] = {}
    for one in evaluations:
        groups.setdefault(label_of(one), []).append(one)
    found = {}
    for label, group in groups.items():
        details = [_details(one) for one in group]
        differing = [
            place for place, of_all in enumerate(zip(*details, strict=True)) if len(set(of_all)) > 1
        ]
        for one, own in zip(group, details, strict=True):
            told = [own[place] for place in differing if own[place]]
            found[one.evaluation_no] = ", ".join([label, *told])
    return found


def _details(evaluation: StoredEvaluation) -> Sequence[str]:
    """Return what may differ between evaluations of one ``label_of``; "": it has none."""
    options = evaluation.options
    if evaluation.method not in {"queries", "product"}:
        return ()
    m, generator = evaluation.num_queries, evaluation.generator_name
    is_queries = evaluation.method == "queries"
    return (
        f"m={m}" if m and not is_queries else "",
        f"by {generator}" if generator else "",
        f"recipe {_recipe(evaluation)}" if is_queries and options.get("recipe") else "",
        *(_named(kind, options.get(kind)) for kind in ("reranker", "encoder")),
        "as a night" if "rules" in options else "",
    )


def _named(kind: str, chosen: Any) -> str:
    return f"{kind} {chosen['name']}" if chosen else ""


def _recipe(evaluation: StoredEvaluation) -> str:
    recipe = evaluation.options["recipe"]
    if not recipe.get("is_changed"):
        return str(recipe["name"])
    return f"{recipe['name']} (changed {recipe['hash'][:_HASH]})"
