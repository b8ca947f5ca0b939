"""A query generator without a model: the newest bought titles are the queries.

It is the fallback for a shop without a checkpoint, and a baseline for language models. It needs
only the standard library.
"""

import hashlib
from collections.abc import Sequence
from typing import Never

from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.clean import collapse
from gpt4rec_es.prompts.template import display_title
from gpt4rec_es.records import (
    CatalogTitles,
    Decoding,
    GeneratedQuery,
    Generation,
    Prompt,
    PromptForm,
)

# Incremented when the output changes, so that stored generations are not used again.
_BEHAVIOUR = "titles generator 1"


class TitlesGenerator:
    """A QueryGenerator whose prompt is the newest titles, newest first, one per line."""

    content_hash = hashlib.sha256(_BEHAVIOUR.encode()).hexdigest()

    def __init__(self, prompt_titles: int | None = None) -> None:
        """Set the number of newest titles that become queries; None: 15, as in prompts."""
        titles = PromptForm().titles if prompt_titles is None else prompt_titles
        self.prompt_form = PromptForm(titles, newest_first=True)

    def write_prompt(self, titles: Sequence[str]) -> Prompt | None:
        """Return the newest titles as a prompt; ``n_tokens`` counts words."""
        newest = titles[-self.prompt_form.titles :]
        displays = [display_title(title) for title in reversed(newest)]
        lines = [display for display in displays if display]
        if not lines:
            return None
        text = "\n".join(lines)
        return Prompt(text, len(newest), len(text.split()))

    def choosing(self, titles: CatalogTitles) -> Never:  # noqa: ARG002 - QueryGenerator
        """Refuse: it has no probabilities to choose by."""
        raise UsageError(
            "A generator of kind titles cannot choose among the catalog's titles.",
            'Set decoding.mode to "free" in the recipe, or use a trained generator.',
        )

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        """Return the lines of each prompt as queries; the score is the negative line index."""
        return [
            Generation(
                collapse(
                    (
                        GeneratedQuery(line, -float(position), 1)
                        for position, line in enumerate(prompt.split("\n"), start=1)
                    ),
                    decoding,
                )
            )
            for prompt in prompts
        ]
