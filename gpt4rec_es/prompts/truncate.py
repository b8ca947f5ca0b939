"""Truncation of a history to the model's context: whole titles are dropped, oldest first.

Truncating tokens would drop the closing words or the newest titles. The caller passes a function
that counts tokens.
"""

from collections.abc import Callable, Sequence

from gpt4rec_es.errors import UsageError
from gpt4rec_es.prompts.template import (
    CLOSING,
    OPENING,
    display_title,
    prompt_text,
    title_piece,
)
from gpt4rec_es.records import Prompt, PromptForm

_CACHED_TITLES = 300_000
# Minimum room for titles; less is a configuration error.
_LEAST_ROOM = 8


class PromptWriter:
    """Writes prompts of at most ``limit`` tokens.

    count: number of tokens of one piece of a prompt (see template.py); called once per title and
    cached. Counts of pieces must add up to the count of the whole.
    """

    def __init__(
        self, count: Callable[[str], int], limit: int, form: PromptForm | None = None
    ) -> None:
        self._count = count
        self._frame = count(OPENING) + count(CLOSING)
        self._room = limit - self._frame
        self.form = form or PromptForm()
        self._known: dict[str, tuple[str, int]] = {}
        if self._room < _LEAST_ROOM:
            raise UsageError(
                f"The generator's context leaves {limit} tokens for prompts; "
                f"their fixed words alone take {self._frame}.",
                "Use a checkpoint with a longer context, or lower max_new_tokens.",
            )

    def write(self, titles: Sequence[str]) -> Prompt | None:
        """Return the prompt for ``titles`` (oldest first); None if all are blank.

        A newest title that does not fit alone is cut between words. A blank title adds no text, but
        counts among the titles used.
        """
        newest = titles[-self.form.titles :]
        known = [(place, *self._lookup(title)) for place, title in enumerate(newest)]
        shown = [entry for entry in known if entry[1]]
        if not shown:
            return None
        first = first_that_fits([n_tokens for _, _, n_tokens in shown], self._room)
        if first == len(shown):
            first -= 1
            displays = [self._cut(shown[first][1])]
            n_tokens = self._count(title_piece(displays[0]))
        else:
            displays = [display for _, display, _ in shown[first:]]
            n_tokens = sum(n for _, _, n in shown[first:])
        if self.form.newest_first:
            displays.reverse()
        used = len(newest) - shown[first][0]
        return Prompt(prompt_text(displays), used, self._frame + n_tokens)

    def _lookup(self, title: str) -> tuple[str, int]:
        """Return the display copy of ``title`` and its tokens in a prompt (0 when blank)."""
        found = self._known.get(title)
        if found is None:
            display = display_title(title)
            found = (display, self._count(title_piece(display)) if display else 0)
            if len(self._known) >= _CACHED_TITLES:
                self._known.clear()
            self._known[title] = found
        return found

    def _cut(self, display: str) -> str:
        """Return the longest prefix of whole words that fits; of a single long word, its start."""

        def fits(text: str) -> bool:
            return self._count(title_piece(text)) <= self._room

        return longest_fitting_start(display, fits)


def first_that_fits(counts: Sequence[int], room: int) -> int:
    """Return the index of the oldest title that fits into ``room`` tokens with all newer ones.

    ``len(counts)``: not even the newest fits.
    """
    first = len(counts)
    while first and counts[first - 1] <= room:
        first -= 1
        room -= counts[first]
    return first


def longest_fitting_start(text: str, fits: Callable[[str], bool]) -> str:
    """Return the longest prefix of ``text`` that fits, cut between words if one word fits.

    At least one character is returned.
    """
    words = text.split(" ")
    for n_words in range(len(words), 0, -1):
        start = " ".join(words[:n_words])
        if fits(start):
            return start
    word = words[0]
    while len(word) > 1 and not fits(word):
        word = word[: len(word) // 2]
    return word
