"""Figures of a trained generator on users that were kept back, for its card."""

from typing import Any, NamedTuple

import numpy as np

from gpt4rec_es.encoders.tokenizer import PromptTokenizer
from gpt4rec_es.generation.options import TrainingOptions
from gpt4rec_es.generation.title_search.chooser import title_ids
from gpt4rec_es.generation.title_search.likelihood import title_logprobs
from gpt4rec_es.generation.title_search.trie import TitleTrie
from gpt4rec_es.lab.training.dataset import (
    IGNORED,
    Examples,
    Pieces,
    TrainingData,
    pair_examples,
)
from gpt4rec_es.lab.training.divergence import require_finite_loss
from gpt4rec_es.lab.training.run_phase import mean_loss
from gpt4rec_es.metrics.title_nats import popularity_nats
from gpt4rec_es.prompts.template import display_title
from gpt4rec_es.records import PromptForm


class Validation(NamedTuple):
    """Means over the last titles of validation users; None: there are no such users.

    loss: per target token. nats: -log p of the title among those of the catalog. popularity: the
    same by a table of purchases, to compare with.
    """

    loss: float | None = None
    nats: float | None = None
    popularity: float | None = None


def validate(
    network: Any,
    data: TrainingData,
    options: TrainingOptions,
    tokenizer: PromptTokenizer,
    context: int,
    form: PromptForm,
) -> Validation:
    """Return the figures of ``network``, which is in evaluation mode afterwards.

    Raises:
        DivergedError: the loss is not finite.
    """
    pieces = Pieces(data.validation.titles, tokenizer, context, options.reserve, form)
    examples = pair_examples(data.validation, pieces, "last")
    if not len(examples):
        return Validation()
    loss = mean_loss(network, examples, options.batch_size)
    require_finite_loss(loss, "validation", 0)
    nats = _nats(network, data, options, tokenizer, examples)
    return Validation(loss, nats, nats_by_purchases(data))


def nats_by_purchases(data: TrainingData) -> float | None:
    """Return ``popularity_nats`` of last validation titles; None: no user has two titles."""
    validation = data.validation
    last = [validation.titles[own[-1]] for _, own in validation if len(own) > 1]
    if not last:
        return None
    titles = data.histories.titles
    counts = np.bincount(data.histories.flat, minlength=len(titles)).tolist()
    bought = dict(zip(titles, counts, strict=True))
    known = {display_title(title) for title in data.catalog_titles}.union(last, bought) - {""}
    return popularity_nats(bought, len(known), last)


def _nats(
    network: Any,
    data: TrainingData,
    options: TrainingOptions,
    tokenizer: PromptTokenizer,
    examples: Examples,
) -> float:
    prompts, targets = [], []
    for number in range(len(examples)):
        ids, labels = examples.sequence(number)
        start = int((labels == IGNORED).sum())
        prompts.append(ids[:start].tolist())
        targets.append(tuple(ids[start:].tolist()))
    displays = [display for title in data.catalog_titles if (display := display_title(title))]
    # Targets are cut between words, so a long one may differ from the catalog's.
    trie = TitleTrie([*title_ids(displays, tokenizer, options.reserve), *targets])
    logprobs = title_logprobs(network, prompts, [trie.leaf(one) for one in targets], trie)
    return -sum(logprobs) / len(logprobs)
