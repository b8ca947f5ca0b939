"""What the metadata fields of an item do to its score: attention weights, and a check of them.

A weight says where the network looks, not what follows from it (Jain and Wallace 2019). So each
field is left out once, and the weights are called an explanation only if both agree in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.ranking.vectors import Fixed, score
from gpt4rec_es.reranking.metadata import MISSING
from gpt4rec_es.reranking.serving import ServedReranker

# Mean rank correlation from which the weights explain the scores.
LEAST_AGREEMENT = 0.7


@dataclass(frozen=True, slots=True)
class FieldEffect:
    """One field of an item.

    weight: of the attention; None: the network has none. effect: score of the item minus its score
    without the field.
    """

    field: str
    text: str
    weight: float | None
    effect: float


def field_effects(
    served: ServedReranker, item_id: str, row: ItemFields, user_vector: Fixed
) -> list[FieldEffect]:
    """Return the effects of the fields that an item has, on its score for one user."""
    whole = served.metadata([row])
    (places,) = whole.places.tolist()
    present = [n for n, place in enumerate(places) if place != MISSING]
    rows = whole.places.repeat(len(present) + 1, 1)
    for without, field in enumerate(present, start=1):
        rows[without, field] = MISSING
    vectors, weights = served.read_items([item_id] * len(rows), replace(whole, places=rows))
    scores = score(user_vector, vectors)
    return [
        FieldEffect(
            whole.fields[field],
            whole.texts[places[field]].removeprefix(f"{whole.fields[field]}: "),
            None if weights is None else float(weights[0, field]),
            float(scores[0] - scores[without]),
        )
        for without, field in enumerate(present, start=1)
    ]


def agreement(items: Sequence[Sequence[FieldEffect]]) -> float | None:
    """Return the mean over items of Spearman's correlation between weights and sizes of effects.

    Items with fewer than two fields, or with equal weights or effects, say nothing. None: no item
    says anything, or the network has no weights.
    """
    found = [
        one
        for effects in items
        if len(effects) > 1 and effects[0].weight is not None
        if (one := _rank_correlation(effects)) is not None
    ]
    return float(np.mean(found)) if found else None


def _rank_correlation(effects: Sequence[FieldEffect]) -> float | None:
    weights = _ranks([effect.weight for effect in effects])
    sizes = _ranks([abs(effect.effect) for effect in effects])
    if not weights.std() or not sizes.std():
        return None
    return float(np.corrcoef(weights, sizes)[0, 1])


def _ranks(values: Sequence[Any]) -> Any:
    """Return the rank of each value; equal ones share the mean of their ranks."""
    plain = np.array(values, float)
    return np.array([(plain < one).sum() + ((plain == one).sum() - 1) / 2 for one in plain])
