"""What settings come to for the stages: options of decoding, fusion, rules and filters.

Text files that settings name are read here, so that nothing below needs to. Nothing is built and no
server is asked: that is runtime.py's.
"""

from collections.abc import Sequence
from pathlib import Path

from gpt4rec_es.errors import UsageError
from gpt4rec_es.filters.phrases import read_phrases
from gpt4rec_es.options.lists import Fusion, ListRules, PairCounting, QueryFilters
from gpt4rec_es.records import Decoding
from gpt4rec_es.settings import Settings, variable_of
from gpt4rec_es.settings.checks import parse_sources


def decoding_of(settings: Settings) -> Decoding:
    """Return how queries are decoded."""
    return Decoding(
        num_queries=settings.num_queries,
        num_beams=settings.num_beams,
        max_new_tokens=settings.max_new_tokens,
        length_penalty=settings.length_penalty,
        early_stopping=settings.early_stopping,
        similarity=settings.similarity,
        dtype=settings.dtype,
    )


def fusion_of(settings: Settings) -> Fusion:
    """Return the sources of candidates, and how they are fused."""
    return Fusion(
        weights=parse_sources(settings.sources),
        method=settings.fusion,
        candidates=settings.candidates,
        history=settings.fusion_history,
        decay=settings.decay,
        query_hits=settings.query_hits,
        query_decay=settings.query_decay,
        neighbours=settings.neighbours,
        pair_history=settings.pair_history,
        rank_constant=settings.rank_constant,
        pairs=PairCounting(
            decay=settings.pair_decay,
            backward=settings.pair_backward,
            popularity=settings.pair_popularity,
            damping=settings.pair_damping,
        ),
    )


def list_rules_of(
    settings: Settings,
    *,
    min_price: float | None = None,
    max_price: float | None = None,
    categories: Sequence[str] = (),
    max_per_brand: int | None = None,
    not_shown_days: int | None = None,
) -> ListRules:
    """Return the rules about all lists; what is given replaces the settings.

    Raises:
        UsageError: nothing can keep them.
    """
    named = (name.strip() for name in (settings.only_categories or "").split("|"))
    return ListRules(
        min_price=settings.min_price if min_price is None else min_price,
        max_price=settings.max_price if max_price is None else max_price,
        categories=tuple(categories) or tuple(filter(None, named)),
        max_per_brand=settings.max_per_brand if max_per_brand is None else max_per_brand,
        shown_days=settings.not_shown_days if not_shown_days is None else not_shown_days,
    )


def query_filters_of(settings: Settings) -> QueryFilters:
    """Return what generated queries must pass.

    Raises:
        UsageError: the file of forbidden phrases cannot be read.
    """
    phrases = _read(
        "forbidden_phrases_file", settings.forbidden_phrases_file, "Write one phrase per line."
    )
    return QueryFilters(
        read_phrases(phrases), settings.catalog_scripts_only, settings.max_unknown_share
    )


def synonyms_of(settings: Settings) -> tuple[str, ...]:
    """Return the rules of synonyms; comments and empty lines are left out.

    Raises:
        UsageError: their file cannot be read.
    """
    text = _read(
        "synonyms_file",
        settings.synonyms_file,
        "Write one Solr rule per line, as: tv, television",
    )
    rules = (line.strip() for line in text.splitlines() if not line.startswith("#"))
    return tuple(filter(None, rules))


def _read(setting: str, file: Path | None, hint: str) -> str:
    """Return the text of the file that a setting names; empty when it names none."""
    if file is None:
        return ""
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{variable_of(setting)} {file} cannot be read: {error}.", hint) from error
