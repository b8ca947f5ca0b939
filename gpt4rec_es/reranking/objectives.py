"""Losses of recommenders, from raw scores (logits)."""

from typing import Any, Literal

import torch
from torch.nn import functional

Objective = Literal["softmax", "bpr"]


def sampled_softmax(positive: Any, negative: Any, log_expected: Any, excluded: Any) -> Any:
    """Return the mean negative log-likelihood of the positives among sampled items.

    positive: (examples,); negative: (examples, samples); log_expected: (samples,), logarithm of the
    number of times that each is expected among the samples; excluded: (examples, samples), samples
    that are no negatives. exp(score - log_expected), summed over samples, estimates the sum of
    exp(score) over all items without bias; excluded ones are left out of both. The positive is
    always present, so its score needs no correction.
    """
    corrected = (negative - log_expected).masked_fill(excluded, -torch.inf)
    logits = torch.cat([positive.unsqueeze(1), corrected], 1)
    return (logits.logsumexp(1) - positive).mean()


def bpr(positive: Any, negative: Any, excluded: Any) -> Any:
    """Return Bayesian personalized ranking (arXiv 1205.2618), the mean over admitted pairs."""
    losses = functional.softplus(negative - positive.unsqueeze(1)).masked_fill(excluded, 0)
    return losses.sum() / (~excluded).sum().clamp(min=1)


def info_nce(first: Any, second: Any, same: Any, temperature: float, log_expected: Any) -> Any:
    """Return the symmetric InfoNCE of two views, with the other rows as negatives.

    first, second: (rows, dim), scaled to length 1 here. same: (rows, rows), pairs of rows that are
    no negatives of each other, such as rows of one id or one title. log_expected: (rows,),
    logarithm of the number of times that each is expected in a batch, subtracted where it is a
    negative, because popular ones are drawn more often.
    """
    similarities = functional.normalize(first, dim=1) @ functional.normalize(second, dim=1).T
    own = torch.eye(len(first), dtype=torch.bool, device=first.device)
    rows = torch.arange(len(first), device=first.device)

    def side(logits: Any, dropped: Any) -> Any:
        corrected = torch.where(own, logits, logits - log_expected)
        return functional.cross_entropy(corrected.masked_fill(dropped & ~own, -torch.inf), rows)

    logits = similarities / temperature
    return (side(logits, same) + side(logits.T, same.T)) / 2
