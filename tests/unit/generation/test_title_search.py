"""The search over titles equals a plain one that reads whole texts, and ends with probabilities."""

import itertools
import math
import random
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4rec_es.generation.title_search.branches import search_titles
from gpt4rec_es.generation.title_search.likelihood import title_logprobs
from gpt4rec_es.generation.title_search.trie import TitleTrie
from tests.unit.generation.networks import END, random_prompts, tiny_network


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=["gpt2", "llama", "neox"])
def network(request: pytest.FixtureRequest) -> Any:
    return tiny_network(request.param)


def titles(n: int, seed: int = 3) -> list[tuple[int, ...]]:
    """Return titles of few words at the beginning, as catalogs have them; some begin others."""
    chance = random.Random(seed)
    return [
        (
            *(chance.choice((7, 8, 9, 10)) for _ in range(chance.randint(1, 3))),
            *(chance.randint(1, 40) for _ in range(chance.randint(0, 9))),
            END,
        )
        for _ in range(n)
    ]


def plain_search(
    network: Any,
    prompt: Sequence[int],
    texts: Sequence[tuple[int, ...]],
    num_beams: int,
    barred: Collection[tuple[int, ...]] = (),
) -> list[tuple[tuple[int, ...], float]]:
    """Search titles by reading prompt and beginning anew for each beam, by sets of texts."""
    beams: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    found: list[tuple[tuple[int, ...], float]] = []
    while beams:
        nodes = []
        for start, score in beams:
            logits = network(torch.tensor([[*prompt, *start]])).logits[0, -1].double()
            below = [text for text in texts if text[: len(start)] == start]
            following = sorted({text[len(start)] for text in below})
            logprobs = logits[following].log_softmax(-1).tolist()
            for token, logprob in zip(following, logprobs, strict=True):
                own = {text for text in below if text[len(start)] == token}
                if own <= set(barred):
                    continue
                longest = min(own, key=len)
                while not all(text[: len(longest)] == longest for text in own):
                    longest = longest[:-1]
                (found if len(own) == 1 else nodes).append((longest, score + logprob))
        found = sorted(found, key=lambda pair: -pair[1])[:num_beams]
        worst = found[-1][1] if len(found) == num_beams else -math.inf
        beams = sorted((node for node in nodes if node[1] > worst), key=lambda pair: -pair[1])
        beams = beams[:num_beams]
    return found


@torch.inference_mode()
@pytest.mark.parametrize("num_beams", [1, 3, 10])
def test_it_equals_a_plain_search(network: Any, num_beams: int) -> None:
    texts = titles(150)
    prompts = random_prompts(6, 1, 30)
    found = search_titles(network, prompts, TitleTrie(texts), num_beams)
    for prompt, own in zip(prompts, found, strict=True):
        expected = plain_search(network, prompt, texts, num_beams)
        assert [h.token_ids for h in own] == [text for text, _ in expected]
        assert [h.sum_logprob for h in own] == pytest.approx([s for _, s in expected], abs=1e-4)


@torch.inference_mode()
def test_barred_titles_give_their_places_to_others(network: Any) -> None:
    texts = titles(150)
    prompts, trie = random_prompts(4, 1, 30), TitleTrie(texts)
    best = [[h.token_ids for h in own] for own in search_titles(network, prompts, trie, 5)]
    barred = [own[:3] for own in best[:3]] + [[]]
    leaves = [[trie.leaf(ids) for ids in own] for own in barred]
    found = search_titles(network, prompts, trie, 5, leaves)
    for prompt, own, without in zip(prompts, found, barred, strict=True):
        expected = plain_search(network, prompt, texts, 5, without)
        assert [h.token_ids for h in own] == [text for text, _ in expected]
        assert [h.sum_logprob for h in own] == pytest.approx([s for _, s in expected], abs=1e-4)


@torch.inference_mode()
def test_barred_families_of_titles_do_not_use_up_the_beams(network: Any) -> None:
    families = [tuple((*start, word, END) for word in range(20, 24)) for start in ((7, 8), (9, 10))]
    texts = [*itertools.chain(*families), *((5, word, END) for word in range(11, 17))]
    prompts, trie = random_prompts(3, 4, 9), TitleTrie(texts)
    leaves = [trie.leaf(ids) for family in families for ids in family]
    for beams in (1, 2, 4):
        for own in search_titles(network, prompts, trie, beams, [leaves] * 3):
            assert len(own) == beams
            assert not {h.token_ids for h in own} & set(itertools.chain(*families))


def test_enough_beams_find_all_titles_and_their_probabilities_add_up_to_one(network: Any) -> None:
    texts = titles(80)
    trie = TitleTrie(texts)
    (found,) = search_titles(network, random_prompts(1, 9, 9), trie, 80)
    assert {h.token_ids for h in found} == set(texts)
    assert sum(math.exp(h.sum_logprob) for h in found) == pytest.approx(1, abs=1e-5)
    assert [h.sum_logprob for h in found] == sorted((h.sum_logprob for h in found), reverse=True)


def test_given_titles_have_the_log_probabilities_of_the_search(network: Any) -> None:
    trie = TitleTrie(titles(80))
    prompts = random_prompts(3, 2, 20)
    pairs = [
        (prompt, hypothesis)
        for prompt, own in zip(prompts, search_titles(network, prompts, trie, 12), strict=True)
        for hypothesis in own
    ]
    leaves = [trie.leaf(hypothesis.token_ids) for _, hypothesis in pairs]
    again = title_logprobs(network, [prompt for prompt, _ in pairs], leaves, trie)
    assert again == pytest.approx([hypothesis.sum_logprob for _, hypothesis in pairs], abs=1e-4)


def test_a_batch_that_does_not_fit_is_halved(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trie, prompts = TitleTrie(titles(60)), random_prompts(5, 3, 12)
    expected = search_titles(network, prompts, trie, 5)
    forward = type(network.base_model).forward

    def too_large(self: Any, *args: Any, **given: Any) -> Any:
        if len(given["input_ids"]) > 2:
            raise torch.OutOfMemoryError
        return forward(self, *args, **given)

    monkeypatch.setattr(type(network.base_model), "forward", too_large)
    found = search_titles(network, prompts, trie, 5)
    assert [[h.token_ids for h in own] for own in found] == [
        [h.token_ids for h in own] for own in expected
    ]


_TEXTS = st.lists(
    st.lists(st.integers(1, 3), max_size=6).map(lambda ids: (*ids, END)), min_size=1, max_size=40
)


@given(_TEXTS)
@settings(max_examples=150, deadline=None)
def test_a_trie_has_each_title_once_and_branches_only_where_titles_differ(
    texts: list[tuple[int, ...]],
) -> None:
    trie = TitleTrie(texts)
    distinct = sorted(set(texts))
    assert [trie.tokens(leaf) for leaf in range(len(trie))] == distinct
    for leaf, text in enumerate(distinct):
        assert trie.leaf(text) == leaf
        path = trie.path(leaf)
        assert path[0][0] == 0
        read = [token for _, edge in path for token in trie.edge_tokens(edge)]
        assert tuple(read) == text
        for node, edge in path:
            beginning = text[: trie.depths[node]]
            following = {t[len(beginning)] for t in distinct if t[: len(beginning)] == beginning}
            own = slice(trie.first_edges[node], trie.first_edges[node + 1])
            assert trie.first_tokens[own].tolist() == sorted(following)
            assert own.start <= edge < own.stop
            assert node == 0 or len(following) > 1
    with pytest.raises(ValueError, match="not in the catalog"):
        trie.leaf((*distinct[0][:-1], 4, END))
