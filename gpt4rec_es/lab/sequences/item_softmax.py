"""Cross-entropy of next items over the catalog, or over sampled items with their correction."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from gpt4rec_es.reranking.objectives import sampled_softmax

# Exponent of an item's number of events among sampled items: between uniform (0) and popularity.
_POWER = 0.5


def sampling_chances(events: Any) -> Any:
    """Return the chance of each item to be drawn as a negative, in proportion to (events + 1)^1/2.

    Items of a whole catalog, without training events, too, have to learn that they are not bought.
    """
    weights = (events + 1) ** _POWER
    return weights / weights.sum()


def drawn_items(chances: Any, samples: int, random: np.random.Generator) -> Any:
    """Return ``samples`` items, drawn with replacement; of none the loss is over all items."""
    exact = chances.cpu().numpy().astype(np.float64)
    return torch.from_numpy(random.choice(len(exact), samples, p=exact / exact.sum()))


def item_softmax(
    hidden: Any, positives: Any, vectors: Any, biases: Any, negatives: Any, chances: Any
) -> Any:
    """Return the mean cross-entropy of ``positives``, which ``hidden`` (examples, dim) predict.

    vectors: (items, dim); biases: (items,). negatives: (samples,), items as ``drawn_items`` returns
    them for all examples; chances: of each item, see ``sampled_softmax``.
    """
    if not len(negatives):
        return functional.cross_entropy(hidden @ vectors.T + biases, positives)
    positive = (hidden * vectors[positives]).sum(1) + biases[positives]
    negative = hidden @ vectors[negatives].T + biases[negatives]
    log_expected = (chances[negatives] * len(negatives)).log()
    same = negatives.unsqueeze(0) == positives.unsqueeze(1)
    return sampled_softmax(positive, negative, log_expected, same)
