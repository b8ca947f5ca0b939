"""Which texts may be searched for: forbidden phrases, scripts and terms that no title has.

Runs ask by filters frozen at planning, measurements by those of the moment. Bought titles that
serve as queries are the catalog's own words, so they are asked for forbidden phrases alone.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from elasticsearch import Elasticsearch
from sqlalchemy import Connection

from gpt4rec_es.db.rows.filters import FrozenFilters, catalog_scripts
from gpt4rec_es.filters.phrases import Phrases
from gpt4rec_es.filters.scripts import PATTERNS, scripts_of
from gpt4rec_es.options.lists import QueryFilters
from gpt4rec_es.prompts.keys import canonical_json, hash128
from gpt4rec_es.retrieval.known_terms import count_unknown

# A script counts as the catalog's when one title in a thousand uses it: less is noise.
_MIN_SCRIPT_SHARE = 0.001

Verdict = tuple[str | None, str | None]
QueryCheck = Callable[[Sequence[str]], list[Verdict]]
TitleTest = Callable[[str], bool]
PASSED: Verdict = (None, None)


def filter_settings(
    connection: Connection, filters: QueryFilters, index_name: str
) -> dict[str, object]:
    """Return what ``filters`` are by the catalog as it is now; ``index_name``: knows the terms."""
    return {
        "phrases": hash128(canonical_json(filters.phrases)).hex(),
        "n_phrases": len(filters.phrases),
        "scripts": catalog_scripts(connection, PATTERNS, _MIN_SCRIPT_SHARE)
        if filters.catalog_scripts_only
        else None,
        "max_unknown_fraction": filters.max_unknown_fraction,
        "index": index_name if filters.max_unknown_fraction < 1 else None,
    }


def title_test(phrases: tuple[str, ...]) -> TitleTest:
    """Return what says whether a bought title may serve as a query: it has none of the phrases."""
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
        DependencyError: the index could not be asked for its terms.
    """
    verdicts = [_check_query(filters, text) for text in texts]
    if filters.index_name is None:
        return verdicts
    places = [place for place, verdict in enumerate(verdicts) if verdict is PASSED]
    counts = count_unknown(elastic, filters.index_name, [texts[place] for place in places])
    for place, (unknown, terms) in zip(places, counts, strict=True):
        if unknown > filters.max_unknown_fraction * terms:
            verdicts[place] = ("unknown", f"{unknown} of {terms} terms")
    return verdicts


def _check_query(filters: FrozenFilters, text: str) -> Verdict:
    if filters.phrases and (phrase := _automaton(filters.phrases).find(text)) is not None:
        return ("phrase", phrase)
    if filters.scripts is not None and (foreign := scripts_of(text) - filters.scripts):
        return ("script", ", ".join(sorted(foreign)))
    return PASSED


@lru_cache(maxsize=2)
def _automaton(phrases: tuple[str, ...]) -> Phrases:
    return Phrases(phrases)
