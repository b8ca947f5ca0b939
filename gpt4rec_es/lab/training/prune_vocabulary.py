"""Remove the tokens that a shop never uses from a tokenizer and the network that reads its ids.

A vocabulary made for all languages is a large part of a small network, and of each step's work.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from tokenizers import Tokenizer, pre_tokenizers

from gpt4rec_es.encoders.tokenizer import PromptTokenizer
from gpt4rec_es.prompts.template import prompt_text, target_text, title_piece


def prune_tokenizer(
    tokenizer: PromptTokenizer, titles: Iterable[str]
) -> tuple[PromptTokenizer, list[int]]:
    """Return a smaller tokenizer, and the old ids of its tokens, by their new ids.

    It splits ``titles`` and prompts of them as before. It knows every byte, so that other texts,
    such as titles of later items, have tokens, too, only more of them.
    """
    texts = [prompt_text(())]
    for title in titles:
        texts += [title_piece(title), target_text(title)]
    used = {token for ids in tokenizer.encode_all(texts) for token in ids} | {tokenizer.end_id}
    whole: dict[str, Any] = json.loads(tokenizer.raw.to_str())
    model = whole["model"]
    merges = [tuple(m.split(" ") if isinstance(m, str) else m) for m in model["merges"]]
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    # A token exists only if the tokens that it is merged from do. Within a text, it is merged in
    # the order in which it is alone, so no other merge is missed.
    words = set(pre_tokenizers.ByteLevel.alphabet())
    for word, token in model["vocab"].items():
        if token in used:
            words.update([word], _merged_in(word, ranks))
    used |= {token for word, token in model["vocab"].items() if word in words}
    kept = sorted(used)
    places = {token: place for place, token in enumerate(kept)}
    model["vocab"] = {w: places[t] for w, t in model["vocab"].items() if t in places}
    model["merges"] = [pair for pair in merges if {*pair, "".join(pair)} <= model["vocab"].keys()]
    model["unk_token"] = None
    whole["added_tokens"] = [
        {**added, "id": places[added["id"]]}
        for added in whole["added_tokens"]
        if added["id"] in places
    ]
    whole["post_processor"] = None  # it adds tokens, by their old ids
    pruned = Tokenizer.from_str(json.dumps(whole))
    return PromptTokenizer(pruned, places[tokenizer.end_id]), kept


def prune_network(network: Any, kept: Sequence[int]) -> None:
    """Let ``network`` read and write token i where it read and wrote token ``kept[i]``.

    kept: ascending.
    """
    layers = (network.get_input_embeddings(), network.get_output_embeddings())
    rows = torch.tensor(kept)
    with torch.no_grad():
        for weight in {id(layer.weight): layer.weight for layer in layers}.values():
            weight[: len(kept)] = weight[rows]
    network.resize_token_embeddings(len(kept))
    # The number of the padding token is that of another one now, which has to learn.
    network.get_input_embeddings().padding_idx = network.config.pad_token_id = None


def _merged_in(word: str, ranks: dict[tuple[str, ...], int]) -> list[str]:
    """Return all parts that ``word`` is merged from, itself included."""
    parts = list(word)
    found: list[str] = []
    while True:
        known = [(ranks[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in ranks]
        if not known:
            return found
        _, at = min(known)
        parts[at : at + 2] = ["".join(parts[at : at + 2])]
        found.append(parts[at])
