"""Query filters: repetition, forbidden phrases, scripts, and terms that no searched field has.

Runs use filters frozen at planning, evaluations the current ones. Bought titles used as queries are
checked for forbidden phrases only, because their words are in the catalog.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from elasticsearch import Elasticsearch
from sqlalchemy import Connection

from gpt4rec_es.db.rows.filters import FrozenFilters, catalog_scripts
from gpt4rec_es.filters.phrases import Phrases
from gpt4rec_es.filters.repetition import find_repetition
from gpt4rec_es.filters.scripts import PATTERNS, scripts_of
from gpt4rec_es.options.lists import QueryFilters
from gpt4rec_es.prompts.keys import canonical_json, hash128
from gpt4rec_es.retrieval.known_terms import count_unknown

# A script belongs to the catalog if at least one title in a thousand uses it.
_MIN_SCRIPT_SHARE = 0.001

Verdict = tuple[str | None, str | None]
QueryCheck = Callable[[Sequence[str]], list[Verdict]]
TitleTest = Callable[[str], bool]
PASSED: Verdict = (None, None)


def filter_settings(
    connection: Connection,
    filters: QueryFilters,
    index_name: str,
    fields: Sequence[tuple[str, float]] = (),
) -> dict[str, object]:
    """Return ``filters`` resolved by the current catalog.

    index_name: index with known terms; fields: those that are searched beside the title.
    """
    counts_terms = filters.max_unknown_fraction < 1
    # Absent without fields, so that equal filters keep their hash, and with it their verdicts.
    searched = {"fields": [name for name, _ in fields]} if counts_terms and fields else {}
    return {
        "refuse_repetition": filters.refuse_repetition,
        "phrases": hash128(canonical_json(filters.phrases)).hex(),
        "n_phrases": len(filters.phrases),
        "scripts": catalog_scripts(connection, PATTERNS, _MIN_SCRIPT_SHARE)
        if filters.catalog_scripts_only
        else None,
        "max_unknown_fraction": filters.max_unknown_fraction,
        "index": index_name if counts_terms else None,
        **searched,
    }


def title_test(phrases: tuple[str, ...]) -> TitleTest:
    """Return a function that tells whether a bought title, used as a query, has no phrase."""
    if not phrases:
        return _any_title
    automaton = _automaton(phrases)
    return lambda title: automaton.find(title) is None


def _any_title(_title: str) -> bool:
    return True


def check_queries(
    filters: FrozenFilters, elastic: Elasticsearch, texts: Sequence[str]
) -> list[Verdict]:
    """Return (reason, detail) for each text, in order: the first filter that removes it.

    Raises:
        DependencyError: the terms of the index could not be read.
    """
    verdicts = [_check_query(filters, text) for text in texts]
    if filters.index_name is None:
        return verdicts
    places = [place for place, verdict in enumerate(verdicts) if verdict is PASSED]
    asked = [texts[place] for place in places]
    counts = count_unknown(elastic, filters.index_name, asked, filters.fields)
    for place, (unknown, terms) in zip(places, counts, strict=True):
        if unknown > filters.max_unknown_fraction * terms:
            verdicts[place] = ("unknown", f"{unknown} of {terms} terms")
    return verdicts


def _check_query(filters: FrozenFilters, text: str) -> Verdict:
    if filters.refuse_repetition and (repeated := find_repetition(text)) is not None:
        return ("repetition", repeated)
    if filters.phrases and (phrase := _automaton(filters.phrases).find(text)) is not None:
        return ("phrase", phrase)
    if filters.scripts is not None and (foreign := scripts_of(text) - filters.scripts):
        return ("script", ", ".join(sorted(foreign)))
    return PASSED


@lru_cache(maxsize=2)
def _automaton(phrases: tuple[str, ...]) -> Phrases:
    return Phrases(phrases)
