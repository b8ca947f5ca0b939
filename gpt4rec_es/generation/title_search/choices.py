"""Log-probabilities of the edges of trie nodes: those of their first tokens, renormalised."""

from typing import Any

import numpy as np
import torch

from gpt4rec_es.generation.finite import require_finite
from gpt4rec_es.generation.title_search.trie import TitleTrie


def edge_logprobs(trie: TitleTrie, nodes: Any, logits: Any) -> tuple[Any, Any, Any]:
    """Return all edges of ``nodes``, the place in ``nodes`` of each, and natural-log probabilities.

    nodes: (n,) int64. logits: (n, vocabulary), of the token after each node. The probabilities of
    the edges of one node add up to 1, so those of all titles do.

    Raises:
        FloatingPointError: a logit is NaN or infinite.
    """
    edges, owners, starts = trie.branches(nodes)
    device = logits.device
    rows, tokens = torch.from_numpy(owners), torch.from_numpy(trie.first_tokens[edges])
    values = logits[rows.to(device), tokens.to(device)].double().cpu().numpy()
    require_finite(values)
    values -= np.maximum.reduceat(values, starts)[owners]
    return edges, owners, values - np.log(np.add.reduceat(np.exp(values), starts))[owners]
