"""The exact text that the language model reads, as in section 3.1 of the GPT4Rec paper.

Training and the night must write the same text, so only this module joins titles. Checkpoints are
trained on this wording: a change requires training again.

A prompt is a sequence of pieces (opening, one per title, closing), of which each but the first
begins with a space. Byte-level BPE never merges across the space before a word, so the tokens of
a prompt are the tokens of its pieces, one after the other.
"""

from collections.abc import Collection, Sequence

from gpt4rec_es.prompts.keys import normalise_query

OPENING = "Previously, the customer has bought:"
CLOSING = " In the future, the customer wants to buy"

# Very long titles are keyword spam; the limit prevents one item from filling the prompt.
DISPLAY_CHARACTERS = 200
# Sentences in a title that is read back from a prompt, at most.
_MOST_PARTS = 5


def display_title(title: str) -> str:
    """Return ``title`` as prompts show it: one line, at most 200 characters, cut between words."""
    text = normalise_query(title)
    if len(text) <= DISPLAY_CHARACTERS:
        return text
    head = text[: DISPLAY_CHARACTERS + 1]
    return head[: head.rfind(" ")] if " " in head else head[:DISPLAY_CHARACTERS]


def title_piece(display: str) -> str:
    """Return the piece of a prompt for one display title."""
    return f" {display}."


def prompt_text(displays: Sequence[str]) -> str:
    """Return the prompt for display titles, oldest first.

    Written out: "Previously, the customer has bought: A. B. In the future, the customer wants to
    buy", that is, titles joined by ". " between the two fixed parts.
    """
    return "".join((OPENING, *map(title_piece, displays), CLOSING))


def titles_in(prompt: str, known: Collection[str]) -> list[str]:
    """Return the display titles of a ``prompt_text`` that are among ``known``.

    ". " separates titles, and may be inside one: of several readings the longest title is taken.
    """
    parts = prompt.removeprefix(OPENING).removesuffix(CLOSING).strip().removesuffix(".").split(". ")
    found, start = [], 0
    while start < len(parts):
        ends = range(min(start + _MOST_PARTS, len(parts)), start, -1)
        title, end = next(
            ((one, end) for end in ends if (one := ". ".join(parts[start:end])) in known),
            (None, start + 1),
        )
        found += [] if title is None else [title]
        start = end
    return found


def target_text(display: str) -> str:
    """Return the continuation of a prompt if ``display`` was bought next, without the end token."""
    return f" {display}"
