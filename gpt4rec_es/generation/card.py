"""The model card of a checkpoint: training data, options and figures, as Markdown and JSON."""

import json
from pathlib import Path
from typing import Any

from gpt4rec_es.encoders.architectures import HISTORY
from gpt4rec_es.errors import UsageError
from gpt4rec_es.prompts.template import prompt_text
from gpt4rec_es.prompts.title_lines import lines_of

# The machine-readable card, part of the checkpoint folder.
CARD = "training.json"


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card in a checkpoint folder; empty if there is none.

    Raises:
        UsageError: it exists and cannot be read.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder / CARD} cannot be read: {error}.", "Remove it.") from error
    return card if isinstance(card, dict) else {}


def read_licence(folder: Path) -> str | None:
    """Return the licence in the metadata of a folder's README.md; None: it names none."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    metadata = text.split("---", 2)[1] if text.startswith("---") else ""
    lines = (line.partition(":") for line in metadata.splitlines())
    return next((value.strip() for name, _, value in lines if name == "license"), None)


def card_text(name: str, card: dict[str, Any]) -> str:
    """Return README.md of a checkpoint: Hugging Face metadata, text, figures."""
    data, options = card["data"], card["options"]
    origin = f"fine-tuned from `{options['start']}`" if options["start"] else "trained from scratch"
    reads_vectors = card.get("model_type") == HISTORY
    example = (lines_of if reads_vectors else prompt_text)(["TITLE ONE", "TITLE TWO"])
    phases = "\n".join(
        f"| {phase} | {row['steps']:,} of {row['planned_steps']:,} | {row['tokens']:,} "
        f"| {_number(row['loss'])} |"
        for phase, row in card["phases"].items()
    )
    facts = "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in data.items())
    return f"""---
library_name: {"gpt4rec-es" if reads_vectors else "transformers"}
pipeline_tag: text-generation
tags: [{card.get("model_type", "gpt2")}, recommendation, query-generation, gpt4rec-es]
---
# {name}

A language model of type {card.get("model_type", "gpt2")} ({card["parameters"]:,} parameters,
{origin}) that writes the search queries a customer would type next, after the method of GPT4Rec
(arXiv 2304.03879). It is made for one catalog and knows no other.

It reads
```
{example}
```
and goes on with a space, a title and the end token. Decode with beam search and no sampling.

## Data
{facts}

Held-out users and events reached neither the tokenizer nor the training.

## Training
| phase | steps | tokens read | loss per token at the end |
|---|---|---|---|
{phases}

On users kept back for validation: loss per target token {_number(card["validation_loss"])}, nats
per title among those of the catalog {_number(card.get("nats_per_title"))}, by a table of purchases
{_number(card.get("popularity_nats"))}.
Seed {options["seed"]}, {card["device"]}, {card["precision"]}, {card["seconds"]:.0f} s, code
{card["code_version"]}.

```json
{json.dumps(options, indent=2, sort_keys=True)}
```

## Licence and limits
The weights derive from the training data (and from the checkpoint they started with): their
licences apply. Queries are guesses in the words of the catalog, not statements about a person.
"""


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
