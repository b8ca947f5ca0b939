"""Values of the source ``sequence``: best items of the catalog by the vector of a user's purchases.

best_items.py finds them. Beside ``rerank``, which every candidate has, these values say how near an
item is to the best that the source found. Pure.
"""

import numpy as np

from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.scoring import Evidence
from gpt4rec_es.ranking.values import Hits, Numbers, SourceValues, Values
from gpt4rec_es.ranking.vectors import BestItems

NAMES = ("score", "share", "rank")


def sequence_evidence(best: BestItems, fusion: Fusion) -> Evidence:
    """Return the items that count as the hits of one evidence; their values are plain scores."""
    item_nos, scores = best.item_nos[: fusion.candidates], best.scores[: fusion.candidates]
    return Evidence(1.0, 1.0, item_nos.tolist(), scores.tolist(), from_item_no=best.after)


def sequence_values(
    scores: Values, last: Values | float, first: Values | float, places: Numbers
) -> dict[str, Values]:
    """Return the values of found items by name, see ``options.features``.

    last, first: the lowest and the highest of the user's ``scores``. places: from 0, by score.
    """
    values = (scores - last, np.exp(scores - first), 1.0 / np.log2(2.0 + places))
    return dict(zip(NAMES, values, strict=True))


def values_of_sequence(
    source: tuple[SourceValues, Hits] | None, item_nos: Numbers
) -> dict[str, Values]:
    """Return the values of one user's candidates by name; 0: the source did not find the item."""
    if source is None or not len(source[0].item_nos):
        return dict.fromkeys(NAMES, np.zeros(len(item_nos)))
    found, _ = source
    scores = found.recent
    of_all = sequence_values(scores, scores.min(), scores.max(), found.first)
    places, is_found = found.places(item_nos)
    return {name: np.where(is_found, of_all[name][places], 0.0) for name in NAMES}
