"""Prompts of generators that read titles as vectors: the words of other prompts, a title per line.

A display title is one line, so the titles can be read back; what a person reads, and what is stored
as the key of a generation, is one text.
"""

from collections.abc import Sequence

from gpt4rec_es.prompts.template import CLOSING, OPENING, display_title
from gpt4rec_es.records import Prompt, PromptForm


def lines_of(displays: Sequence[str]) -> str:
    """Return the prompt for display titles, oldest first."""
    return "\n".join((OPENING, *displays, CLOSING.strip()))


def titles_of(prompt: str) -> list[str]:
    """Return the display titles of a prompt that ``lines_of`` returned."""
    return prompt.split("\n")[1:-1]


class LineWriter:
    """Writes prompts of at most ``form.titles`` titles; a title is one place of the reader."""

    def __init__(self, form: PromptForm) -> None:
        """Set the form; the order is always oldest first."""
        self.form = form

    def write(self, titles: Sequence[str]) -> Prompt | None:
        """Return the prompt for ``titles`` (oldest first); None if all are blank.

        ``n_tokens`` counts titles. A blank one adds no text, but counts among the titles used.
        """
        newest = titles[-self.form.titles :]
        shown = [
            (place, display)
            for place, title in enumerate(newest)
            if (display := display_title(title))
        ]
        if not shown:
            return None
        displays = [display for _, display in shown]
        return Prompt(lines_of(displays), len(newest) - shown[0][0], len(displays))
