import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.prompts.template import prompt_text
from gpt4rec_es.prompts.truncate import PromptWriter, first_that_fits, longest_fitting_start
from gpt4rec_es.records import PromptForm

FRAME = 13  # words of the fixed parts


def count_words(piece: str) -> int:
    return len(piece.split())


def writer(room: int, max_titles: int = 15) -> PromptWriter:
    return PromptWriter(count_words, FRAME + room, PromptForm(max_titles))


def test_all_titles_when_they_fit() -> None:
    prompt = writer(9).write(["a b", "c d e", "f g h i"])
    assert prompt is not None
    assert prompt.text == prompt_text(["a b", "c d e", "f g h i"])
    assert (prompt.used, prompt.n_tokens) == (3, FRAME + 9)


def test_whole_oldest_titles_go_first_also_when_an_older_one_would_fit() -> None:
    prompt = writer(8).write(["a", "b c d e f", "g h i", "j"])
    assert prompt is not None
    assert prompt.text == prompt_text(["g h i", "j"])
    assert prompt.used == 2


def test_only_the_newest_titles() -> None:
    prompt = writer(50, max_titles=15).write([f"t{n}" for n in range(40)])
    assert prompt is not None
    assert prompt.text == prompt_text([f"t{n}" for n in range(25, 40)])
    assert prompt.used == 15


def test_the_newest_title_may_come_first_and_the_oldest_still_go_first() -> None:
    form = PromptForm(3, newest_first=True)
    prompt = PromptWriter(count_words, FRAME + 8, form).write(["a", "b c d e f", "g h i j", "k"])
    assert prompt is not None
    assert prompt.text == prompt_text(["k", "g h i j"])
    assert prompt.used == 2


def test_a_prompt_has_at_least_one_title() -> None:
    with pytest.raises(UsageError, match="0 titles make no prompt"):
        PromptForm(0)


def test_a_newest_title_that_does_not_fit_is_cut_between_words() -> None:
    prompt = writer(8).write(["old", "one two three four five six seven eight nine"])
    assert prompt is not None
    assert prompt.text == prompt_text(["one two three four five six seven eight"])
    assert (prompt.used, prompt.n_tokens) == (1, FRAME + 8)


def test_blank_titles_count_as_used_but_add_nothing() -> None:
    prompt = writer(8).write(["a", " \n", "b", "\x00"])
    assert prompt is not None
    assert prompt.text == prompt_text(["a", "b"])
    assert prompt.used == 4


@pytest.mark.parametrize("titles", [[], [""], ["\x00", " "]])
def test_no_prompt_without_a_title(titles: list[str]) -> None:
    assert writer(8).write(titles) is None


def test_each_title_is_counted_once() -> None:
    counted: list[str] = []

    def count(piece: str) -> int:
        counted.append(piece)
        return count_words(piece)

    prompts = PromptWriter(count, FRAME + 20)
    for _ in range(3):
        prompts.write(["a", "b"])
    assert sorted(counted[2:]) == [" a.", " b."]


def test_a_context_without_room_for_titles_is_refused() -> None:
    with pytest.raises(UsageError, match="leaves 20 tokens"):
        writer(7)


@pytest.mark.parametrize(
    ("counts", "room", "first"), [([], 5, 0), ([3, 2], 5, 0), ([3, 2], 4, 1), ([6], 5, 1)]
)
def test_first_that_fits(counts: list[int], room: int, first: int) -> None:
    assert first_that_fits(counts, room) == first


def test_one_huge_word_is_cut_to_its_start() -> None:
    assert longest_fitting_start("x" * 40 + " y", lambda text: len(text) <= 10) == "x" * 10
    assert longest_fitting_start("abc", lambda _: False) == "a"


def test_forgotten_counts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    histories = [[f"t{n}", f"t{n + 1}", f"t{n + 2}"] for n in range(9)]
    usual = writer(9)
    expected = [usual.write(titles) for titles in histories]
    monkeypatch.setattr("gpt4rec_es.prompts.truncate._CACHED_TITLES", 2)
    forgetful = writer(9)
    assert [forgetful.write(titles) for titles in histories] == expected
