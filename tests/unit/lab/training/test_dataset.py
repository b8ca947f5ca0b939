import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.encoders.tokenizer import train_tokenizer
from gpt4rec_es.lab.training.dataset import (
    IGNORED,
    Examples,
    Pieces,
    collect_histories,
    epoch_order,
    pair_examples,
    window_examples,
)
from gpt4rec_es.prompts.template import display_title, prompt_text, target_text
from gpt4rec_es.prompts.truncate import PromptWriter
from gpt4rec_es.records import PromptForm

WORDS = [f"word{n} thing{n % 3}" for n in range(40)]
LONG = "long " * 60
TOKENIZER = train_tokenizer([*WORDS, LONG], 500)
CONTEXT, RESERVE = 128, 24


def sequences(examples: Examples) -> list[tuple[list[int], list[int]]]:
    found = [examples.sequence(number) for number in range(len(examples))]
    return [(ids.tolist(), labels.tolist()) for ids, labels in found]


def prepared(
    histories: list[list[str]], reserve: int = RESERVE, form: PromptForm | None = None
) -> tuple:
    collected = collect_histories(histories)
    return collected, Pieces(collected.titles, TOKENIZER, CONTEXT, reserve, form)


def test_histories_are_kept_as_numbers_of_distinct_display_titles() -> None:
    found = collect_histories([["b ", "a"], [], ["a", "b"]])
    assert found.titles == ["b", "a"]
    assert [titles.tolist() for _, titles in found] == [[0, 1], [], [1, 0]]
    assert len(found) == 3
    assert len(collect_histories([])) == 0


@pytest.mark.parametrize("form", [PromptForm(), PromptForm(3), PromptForm(20, newest_first=True)])
@pytest.mark.parametrize(
    "history",
    [
        WORDS[:2],
        WORDS[:30],
        [WORDS[0], LONG, *WORDS[1:4]],
        [WORDS[0], LONG],
        [LONG, WORDS[0]],
    ],
)
def test_a_pair_is_what_the_night_would_write_then_the_title_and_the_end(
    history: list[str], form: PromptForm
) -> None:
    examples = pair_examples(*prepared([history], form=form), "every-prefix")
    writer = PromptWriter(TOKENIZER.count, CONTEXT - RESERVE, form)
    for target, (ids, labels) in enumerate(sequences(examples), start=1):
        written = writer.write(history[:target])
        assert written is not None
        prompt = TOKENIZER.encode(written.text)
        assert ids[: len(prompt)] == prompt
        assert labels[: len(prompt)] == [IGNORED] * len(prompt)
        answer = ids[len(prompt) :]
        assert answer == labels[len(prompt) :]
        assert answer[-1] == TOKENIZER.end_id
        assert len(answer) <= RESERVE
        text = TOKENIZER.decode_all([answer])[0]
        whole = target_text(display_title(history[target]))
        assert text == whole or (whole.startswith(f"{text} ") and len(answer) > RESERVE - 6)
        assert len(ids) == examples.lengths[target - 1] or LONG in history
    assert len(examples) == len(history) - 1


def test_the_paper_has_one_pair_per_user_with_two_titles() -> None:
    examples = pair_examples(*prepared([WORDS[:5], WORDS[:1], [], WORDS[3:5]]), "last")
    targets = [[t for t in labels if t != IGNORED] for _, labels in sequences(examples)]
    assert [TOKENIZER.decode_all([target])[0] for target in targets] == [
        f" {WORDS[4]}",
        f" {WORDS[4]}",
    ]


def test_windows_learn_each_title_once_and_never_the_fixed_words() -> None:
    histories = [WORDS[:37], WORDS[:1], WORDS[5:7]]
    found = sequences(window_examples(*prepared(histories)))
    learned = "".join(
        TOKENIZER.decode_all([[t for t in labels if t != IGNORED]])[0] for _, labels in found
    )
    assert "customer" not in learned
    assert learned.replace(".", "").split() == " ".join(" ".join(h) for h in histories).split()
    for ids, labels in found:
        assert len(ids) <= CONTEXT
        assert labels[-1] == TOKENIZER.end_id
        assert TOKENIZER.decode_all([ids])[0].startswith("Previously, the customer has bought:")


def test_windows_hold_as_many_titles_as_prompts_in_their_order() -> None:
    form = PromptForm(2, newest_first=True)
    found = sequences(window_examples(*prepared([WORDS[:6]], form=form)))
    assert [TOKENIZER.decode_all([ids])[0] for ids, _ in found] == [
        prompt_text([WORDS[place + 1], WORDS[place]]) + target_text(WORDS[place + 2])
        for place in (0, 3)
    ]


def test_a_history_of_one_title_is_learnt_without_a_past() -> None:
    (ids, _), *rest = sequences(window_examples(*prepared([WORDS[:1]])))
    assert not rest
    assert TOKENIZER.decode_all([ids])[0] == prompt_text([]) + target_text(WORDS[0])


@given(st.lists(st.integers(1, 99), min_size=1, max_size=400), st.integers(1, 9))
def test_an_epoch_has_everything_once_and_is_repeatable(lengths: list[int], size: int) -> None:
    array = np.array(lengths)
    order = epoch_order(array, size, seed=3, epoch=1)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert epoch_order(array, size, seed=3, epoch=1).tolist() == order.tolist()


def test_epochs_differ_and_batches_hold_similar_lengths() -> None:
    lengths = np.random.default_rng(0).integers(10, 200, 3200)
    first, second = (epoch_order(lengths, 32, seed=3, epoch=epoch) for epoch in (0, 1))
    assert first.tolist() != second.tolist()
    spread = np.ptp(lengths[first].reshape(-1, 32), axis=1)
    assert spread.mean() < 10
    assert (np.diff(lengths[first].reshape(-1, 32).mean(axis=1)) > 0).mean() == pytest.approx(
        0.5, abs=0.2
    )
