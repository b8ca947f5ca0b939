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

# Rank correlation from which the weights of an item explain its score.
LEAST_AGREEMENT = 0.7
_ROUNDING = 1e-9


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


def rank_agreement(effects: Sequence[FieldEffect]) -> float | None:
    """Return Spearman's correlation between weights and sizes of effects.

    None: there are fewer than two fields, no weights, or equal weights or sizes.
    """
    if len(effects) < 2 or effects[0].weight is None:
        return None
    weights = _ranks([effect.weight for effect in effects])
    sizes = _ranks([abs(effect.effect) for effect in effects])
    if not weights.std() or not sizes.std():
        return None
    return float(np.corrcoef(weights, sizes)[0, 1])


def is_explanation(agreement: float | None) -> bool:
    """Return whether weights of this agreement explain the score."""
    return agreement is not None and agreement >= LEAST_AGREEMENT - _ROUNDING


def _ranks(values: Sequence[Any]) -> Any:
    """Return the rank of each value; equal ones share the mean of their ranks."""
    plain = np.array(values, float)
    return np.array([(plain < one).sum() + ((plain == one).sum() - 1) / 2 for one in plain])
