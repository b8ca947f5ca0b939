"""Open a registered generator by its kind; the only module that knows the implementations."""

from pathlib import Path

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.protocols import QueryGenerator
from gpt4rec_es.records import Decoding


def open_generator(
    kind: str,
    path: str | Path | None,
    options: GeneratorOptions | None = None,
    *,
    reserve: int = Decoding().max_new_tokens,
    prompt_titles: int | None = None,
    api_key: str | None = None,
) -> QueryGenerator:
    """Return the generator of ``kind``: "gpt2" with a checkpoint folder, "endpoint", or "titles".

    Opening is cheap: torch is imported at the first generation. reserve: tokens of the context that
    prompts leave free; pass the max_new_tokens of the decoding. prompt_titles: newest titles in a
    prompt; None: the number that the checkpoint was trained with. path, api_key: of an endpoint its
    stored address and the secret that it wants.

    Raises:
        UsageError: an unknown kind, or a folder that is no valid checkpoint.
    """
    options = options or GeneratorOptions()
    if kind == "titles":
        from gpt4rec_es.generation.title_generator import TitlesGenerator  # noqa: PLC0415 - no tokenizers

        return TitlesGenerator(prompt_titles)
    if kind == "endpoint" and path is not None:
        from gpt4rec_es.generation.endpoint import Endpoint, EndpointGenerator  # noqa: PLC0415 - no HTTP

        endpoint = Endpoint.at(str(path))
        return EndpointGenerator(endpoint, api_key, reserve=reserve, prompt_titles=prompt_titles)
    if kind != "gpt2" or path is None:
        raise UsageError(
            f"There is no generator of kind {kind!r}.", "Kinds: gpt2, endpoint, titles."
        )
    from gpt4rec_es.generation.gpt2 import Gpt2Generator  # noqa: PLC0415 - loads tokenizers

    return Gpt2Generator(Path(path), options, reserve=reserve, prompt_titles=prompt_titles)
