"""Opening a registered generator by its kind; the one place that knows the implementations."""

from pathlib import Path

from gpt4rec_es.errors import UsageError
from gpt4rec_es.protocols import QueryGenerator


def open_generator(
    kind: str,
    path: str | Path | None,
    *,
    device: str = "auto",
    token_budget: int = 0,
    threads: int = 0,
    reserve: int = 48,
    engine: str = "shared",
    prompt_titles: int | None = None,
) -> QueryGenerator:
    """Return the generator of ``kind`` ("gpt2" with a checkpoint folder, or "titles").

    Opening is cheap: torch is loaded when the first generation is asked for. token_budget: token
    places in one batch (prompt and new tokens x beams), 0 to choose. reserve: tokens of the
    context that prompts leave free; pass the max_new_tokens of the decoding. engine: name of the
    beam search, which changes only what a generation costs. prompt_titles: newest titles in a
    prompt; None: as the generator was trained.

    Raises:
        UsageError: an unknown kind, or a folder that is no fitting checkpoint.
    """
    if kind == "titles":
        from gpt4rec_es.generation.title_generator import TitlesGenerator  # noqa: PLC0415 - no tokenizers

        return TitlesGenerator(prompt_titles)
    if kind != "gpt2" or path is None:
        raise UsageError(f"There is no generator of kind {kind!r}.", "Kinds: gpt2, titles.")
    from gpt4rec_es.generation.gpt2 import Gpt2Generator  # noqa: PLC0415 - loads tokenizers

    return Gpt2Generator(
        Path(path),
        device=device,
        token_budget=token_budget,
        threads=threads,
        reserve=reserve,
        engine=engine,
        prompt_titles=prompt_titles,
    )
