"""What a decoder learns at branches: sums of a teacher's probabilities, by a table made by hand."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from gpt4rec_es.lab.training.loss import choice_loss
from gpt4rec_es.lab.training.title_targets import Choices, TitleTargets

END = 0
# Two that begin with 5, of which 6 7 branches again; the last equals the first.
TITLES = [(5, 6, 7, END), (5, 6, 8, 9, END), (5, 4, END), (3, 2, END), (5, 6, 7, END)]
CHANCES = np.array([[0.1, 0.2, 0.3, 0.35, 0.05]])


@pytest.fixture
def targets() -> TitleTargets:
    return TitleTargets(TITLES)


def cumulated(targets: TitleTargets, chances: np.ndarray) -> np.ndarray:
    by_leaf = np.zeros((len(chances), len(targets.trie)))
    for title, leaf in enumerate(targets.leaves):
        by_leaf[:, leaf] += chances[:, title]
    return np.concatenate((np.zeros((len(chances), 1)), by_leaf.cumsum(1)), 1)


def test_branches_have_the_sums_of_the_titles_below_them(targets: TitleTargets) -> None:
    batch = targets.batch(
        np.array([1]), cumulated(targets, CHANCES), np.array([False]), np.array([[20, 21]])
    )
    # Read are the prefix and the tokens before the last branch; of 8 9 END nothing is decided.
    assert [part.tolist() for part in batch.ids] == [[[20, 21, 5, 6]]]
    assert batch.tokens == 4
    assert batch.firsts.tolist() == [1]  # the last of the prefix
    first = dict(zip(targets.first_words.tolist(), batch.start[0].tolist(), strict=True))
    assert first == pytest.approx({5: 0.65, 3: 0.35})
    choices = batch.choices
    assert choices.states.tolist() == [2, 3]
    found = {
        (place, word): chance
        for place, word, chance in zip(
            choices.places.tolist(), choices.words.tolist(), choices.chances.tolist(), strict=True
        )
    }
    wanted = {(0, 4): 0.3 / 0.65, (0, 6): 0.35 / 0.65, (1, 7): 0.15 / 0.35, (1, 8): 0.2 / 0.35}
    assert found == pytest.approx(wanted)
    assert len(batch.spelled[0]) == 0


def test_a_title_is_spelled_to_its_end(targets: TitleTargets) -> None:
    batch = targets.batch(
        np.array([1, 3]),
        cumulated(targets, CHANCES.repeat(2, 0)),
        np.array([True, False]),
        np.array([[20], [21]]),
    )
    flat = torch.cat([part.flatten() for part in batch.ids])
    states, words = batch.spelled
    assert words.tolist() == list(TITLES[1])
    assert flat[states].tolist() == [20, *TITLES[1][:-1]]
    assert flat[batch.firsts].tolist() == [20, 21]


def test_a_teacher_that_excludes_all_titles_of_a_branch_knows_nothing(
    targets: TitleTargets,
) -> None:
    nothing = np.array([[0.0, 0.0, 0.0, 1.0, 0.0]])
    batch = targets.batch(
        np.array([0]), cumulated(targets, nothing), np.array([False]), np.array([[20]])
    )
    assert batch.choices.chances.tolist() == pytest.approx([0.5] * 4)


def test_only_words_that_may_follow_count() -> None:
    torch.manual_seed(1)
    hidden, weight = torch.randn(2, 6, requires_grad=True), torch.randn(9, 6, requires_grad=True)
    choices = Choices(
        torch.tensor([0, 1]),
        torch.tensor([0, 0, 1, 1, 1]),
        torch.tensor([2, 5, 5, 0, 7]),
        torch.tensor([0.25, 0.75, 0.5, 0.2, 0.3]),
    )
    ours = choice_loss(hidden, weight, choices)
    ours.backward()
    got = hidden.grad, weight.grad
    hidden.grad = weight.grad = None
    wanted = cross_entropy(
        (hidden[:1] @ weight[[2, 5]].T), torch.tensor([[0.25, 0.75]])
    ) + cross_entropy((hidden[1:] @ weight[[5, 0, 7]].T), torch.tensor([[0.5, 0.2, 0.3]]))
    wanted.backward()
    torch.testing.assert_close(ours, wanted)
    for own, other in zip(got, (hidden.grad, weight.grad), strict=True):
        torch.testing.assert_close(own, other)
