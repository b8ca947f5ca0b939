"""Log-probabilities of given titles: how likely a generator finds one among those of a catalog."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gpt4rec_es.encoders.batches import plan_batches
from gpt4rec_es.generation.title_search.choices import edge_logprobs
from gpt4rec_es.generation.title_search.trie import TitleTrie

# Token places per pass; states of these are kept, logits only of places where titles branch.
_TOKENS = {"cpu": 8_192, "cuda": 131_072}


def title_logprobs(
    network: Any, contexts: Sequence[Sequence[int]], leaves: Sequence[int], trie: TitleTrie
) -> list[float]:
    """Return the natural-log probability of each of ``leaves`` after its context.

    contexts: token ids, none empty. Probabilities are renormalised over what can follow at each
    branch of the trie, so those of all titles after one context add up to 1.
    """
    paths = [trie.path(leaf) for leaf in leaves]
    # Only tokens before the last branch are read.
    lengths = [
        len(context) + int(trie.depths[path[-1][0]])
        for context, path in zip(contexts, paths, strict=True)
    ]
    found = np.zeros(len(leaves))
    for batch in plan_batches(lengths, 1, _TOKENS[network.device.type]):
        ids = np.zeros((len(batch), max(lengths[place] for place in batch)), np.int64)
        is_token = np.zeros_like(ids)
        rows, places, nodes, chosen = [], [], [], []
        for row, place in enumerate(batch):
            context = contexts[place]
            tokens = [*context, *trie.tokens(leaves[place])][: lengths[place]]
            ids[row, : len(tokens)] = tokens
            is_token[row, : len(tokens)] = 1
            for node, edge in paths[place]:
                rows.append(row)
                places.append(len(context) + int(trie.depths[node]) - 1)
                nodes.append(node)
                chosen.append(edge)
        with torch.inference_mode():
            states = network.base_model(
                input_ids=torch.from_numpy(ids).to(network.device),
                attention_mask=torch.from_numpy(is_token).to(network.device),
                use_cache=False,
            ).last_hidden_state
            logits = network.get_output_embeddings()(states[rows, places])
        edges, owners, logprobs = edge_logprobs(trie, np.array(nodes), logits)
        is_chosen = edges == np.array(chosen)[owners]
        np.add.at(found, np.array(batch)[np.array(rows)], logprobs[is_chosen])
    return [float(value) for value in found]
