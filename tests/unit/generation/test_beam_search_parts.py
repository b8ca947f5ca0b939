"""The parts of the beam search, with known results."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.comparison import Comparison
from gpt4rec_es.generation.beam import Hypothesis
from gpt4rec_es.generation.beam_search.cache import BeamCache
from gpt4rec_es.generation.beam_search.linears import OneDnnLinear
from gpt4rec_es.generation.beam_search.mask import TreeMask
from gpt4rec_es.generation.beam_search.pool import Pool
from gpt4rec_es.generation.beam_search.selection import Rules, best_candidates

NEVER = torch.finfo(torch.float32).min


@settings(deadline=None)
@given(
    rows=st.integers(1, 3),
    beams=st.integers(1, 9),
    vocabulary=st.integers(20, 400),
    data=st.data(),
    seed=st.integers(0, 2**31),
)
def test_candidates_are_those_of_sorting_everything(
    rows: int, beams: int, vocabulary: int, data: st.DataObject, seed: int
) -> None:
    count = data.draw(st.integers(1, min(40, beams * vocabulary)))
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, beams, vocabulary, generator=chance) * 3
    scores = torch.randn(rows, beams, generator=chance)
    banned = data.draw(st.none() | st.integers(0, vocabulary - 1)) if count < 15 else None
    found = best_candidates(logits, scores, count, banned)
    everything = logits.log_softmax(-1)
    if banned is not None:
        everything[..., banned] = -torch.inf
    expected, places = (everything + scores[:, :, None]).flatten(1).topk(count)
    assert torch.equal(found.scores, expected)
    assert torch.equal(found.parents * vocabulary + found.tokens, places)


def test_a_tree_of_beams_by_hand() -> None:
    mask = TreeMask(torch.tensor([[0, 1, 1]]), beams=2, dtype=torch.float32)
    mask.grow(torch.tensor([[0, 0]]))  # entries 3, 4
    mask.grow(torch.tensor([[1, 1]]))  # both continue beam 1: entry 3 is dead
    mask.grow(torch.tensor([[1, 0]]))  # they swap
    seen = (mask.visible()[0, 0] == 0).tolist()
    #                padding prompt      | step 1       | step 2       | step 3
    assert seen[0] == [False, True, True, False, True, False, True, True, False]
    assert seen[1] == [False, True, True, False, True, True, False, False, True]
    assert mask.live_entries().tolist() == [[False, True, True, True, True, True]]
    assert torch.equal(mask.visible().unique(), torch.tensor([NEVER, 0.0]))
    mask.compact(torch.tensor([[1, 2, 3, 4, 5]]))
    assert (mask.visible()[0, 0] == 0).tolist() == [
        [False, True, True, True, False, True, True, False],
        [False, True, True, True, True, False, False, True],
    ]


def entries(*numbers: float) -> torch.Tensor:
    """Return (1, 2 heads, n, 3): entries filled with their number, negative in the second head."""
    column = torch.tensor(numbers)[:, None].expand(-1, 3)
    return torch.stack((column, -column))[None]


def test_the_cache_keeps_what_lives_and_rows_that_stay() -> None:
    cache = BeamCache(layers=2, room=4)
    prompts = torch.cat((entries(1, 2), entries(11, 12), entries(21, 22)))
    beams = torch.cat((entries(3, 4, 5), entries(13, 14, 15), entries(23, 24, 25)))
    for layer in (0, 1):
        cache.update(prompts, prompts * 2, layer)
    for layer in (0, 1):
        keys, values = cache.update(beams, beams * 2, layer)
    assert keys[1, :, :, 0].tolist() == [[11, 12, 13, 14, 15], [-11, -12, -13, -14, -15]]
    assert torch.equal(values, keys * 2)
    assert (cache.length, cache.free) == (5, 1)

    cache.take([0, 2])  # the middle row is dropped, the last replaces it
    cache.compact(torch.tensor([[0, 2], [1, 2]]), width=2, room=2)
    assert (cache.length, cache.free) == (4, 2)
    for layer in (0, 1):
        keys, values = cache.update(torch.cat((entries(6), entries(26))), entries(7), layer)
        assert keys[:, 0, :, 2].tolist() == [[1, 2, 3, 5, 6], [21, 22, 24, 25, 26]]
        assert values[:, 0, :-1, 2].tolist() == [[2, 4, 6, 10], [42, 44, 48, 50]]


def test_the_cache_grows_when_all_entries_live() -> None:
    cache = BeamCache(layers=1, room=1)
    cache.update(entries(1), entries(1), 0)
    cache.update(entries(2), entries(2), 0)
    before = cache.nbytes
    cache.compact(torch.tensor([[0]]), width=1, room=3)
    assert cache.nbytes == before // 2 * 5
    keys, _ = cache.update(entries(3, 4, 5), entries(3, 4, 5), 0)
    assert keys[0, 0, :, 0].tolist() == [1, 2, 3, 4, 5]


def pool_with(scores: list[float], ends: list[bool], rules: Rules) -> Pool:
    pool = Pool(1, rules, "cpu")
    sequences = torch.arange(len(scores))[None, :, None].expand(-1, -1, rules.max_new_tokens)
    pool.add(torch.tensor([scores]), sequences, torch.tensor([ends]), length=2)
    return pool


def test_the_best_finished_ones_stay() -> None:
    rules = Rules(num_beams=2, max_new_tokens=5, end_id=0)
    pool = pool_with([-2.0, -4.0], [True, True], rules)
    later = torch.tensor([[7, 8]])[:, :, None].expand(-1, -1, 5)
    pool.add(torch.tensor([[-3.0, -9.0]]), later, torch.tensor([[False, True]]), length=5)
    assert pool.scores.tolist() == [[-1.0, pytest.approx(-1.8)]]  # -2/2, -9/5; not -4/2
    assert pool.lengths.tolist() == [[2, 5]]
    assert pool.sequences[0, :, 0].tolist() == [0, 8]


@pytest.mark.parametrize(
    ("rules", "best_running", "is_done"),
    [
        # Finished are -1 and -2 (divided by their length 2); what runs has 3 tokens.
        (Rules(2, 5, 0), -5.9, False),  # -5.9/3 is better than -2
        (Rules(2, 5, 0), -6.1, True),
        (Rules(2, 5, 0, early_stopping="never"), -6.1, False),  # it may become -6.1/5
        (Rules(2, 5, 0, early_stopping="never"), -10.1, True),
        (Rules(2, 5, 0, early_stopping=True), -0.1, True),  # two have finished: enough
        (Rules(3, 5, 0), -99.0, False),  # a third one is missing
        (Rules(3, 5, 0, early_stopping=True), -99.0, False),
    ],
)
def test_when_a_search_is_over(rules: Rules, best_running: float, is_done: bool) -> None:
    m = rules.num_beams
    pool = pool_with([-2.0, -4.0, -50.0][:m], [True, True, False][:m], rules)
    pool.close(torch.tensor([best_running]), length=3)
    assert pool.done().tolist() == [is_done]


def test_a_search_that_is_over_takes_nothing_in() -> None:
    rules = Rules(num_beams=2, max_new_tokens=5, end_id=0)
    pool = pool_with([-2.0, -4.0], [True, True], rules)
    pool.close(torch.tensor([-99.0]), length=3)
    better = torch.zeros(1, 2, 5, dtype=torch.int64)
    pool.add(torch.tensor([[-0.1, -0.2]]), better, torch.tensor([[True, True]]), length=4)
    pool.close(torch.tensor([-0.3]), length=4)
    assert pool.scores.tolist() == [[-1.0, -2.0]]
    assert pool.done().tolist() == [True]


@pytest.mark.parametrize("is_packed", [False, True])
def test_the_other_kernel_gives_equal_products(is_packed: bool) -> None:
    chance = torch.Generator().manual_seed(3)
    plain = torch.nn.Linear(48, 80)
    inputs = torch.randn(2, 7, 48, generator=chance)
    with torch.inference_mode():
        other = OneDnnLinear(plain.weight, plain.bias, is_packed=is_packed)
        torch.testing.assert_close(other(inputs), plain(inputs))
        other.append_gelu()
        expected = torch.nn.functional.gelu(plain(inputs), approximate="tanh")
        torch.testing.assert_close(other(inputs), expected)


def test_what_changed_places_is_told_from_what_differs() -> None:
    one, two = Hypothesis((5, 0), -2.0), Hypothesis((6, 0), -2.0 - 1e-6)
    far = Hypothesis((7, 0), -3.0)
    comparison = Comparison()
    comparison.add([one, two], [two, one], length_penalty=1.0, end_id=0)
    assert (len(comparison.swaps), len(comparison.differences)) == (2, 0)
    comparison.add([one, far], [far, one], length_penalty=1.0, end_id=0)
    comparison.add([one, two], [one], length_penalty=1.0, end_id=0)
    assert (len(comparison.swaps), len(comparison.differences)) == (2, 3)
    assert comparison.worst == pytest.approx(0.5)
    assert (comparison.prompts, comparison.ended, comparison.lengths) == (3, 5, {2})
