"""Query filters of a run: frozen at planning, then asked by the search stage about each text.

Bought titles that serve as queries are the catalog's own words, so they are asked for forbidden
phrases alone, at planning. Generations stay as they were written.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from elasticsearch import Elasticsearch
from sqlalchemy import Connection

from gpt4rec_es.db.filters import FrozenFilters, catalog_scripts, filters_number
from gpt4rec_es.filters.phrases import Phrases
from gpt4rec_es.filters.scripts import PATTERNS, scripts_of
from gpt4rec_es.list_options import QueryFilters
from gpt4rec_es.prompts.keys import canonical_json, hash128
from gpt4rec_es.retrieval.known_terms import count_unknown

# A script counts as the catalog's when one title in a thousand uses it: less is noise.
_MIN_SCRIPT_SHARE = 0.001

Verdict = tuple[str | None, str | None]
TitleTest = Callable[[str], bool]
Judge = Callable[[Sequence[str]], list[Verdict]]
PASSED: Verdict = (None, None)


def freeze_filters(
    connection: Connection, filters: QueryFilters, index_name: str
) -> tuple[int | None, dict[str, object] | None]:
    """Return number and manifest entry of the filters as they are now; None: there are none."""
    if not filters.is_on:
        return None, None
    settings: dict[str, object] = {
        "phrases": hash128(canonical_json(filters.phrases)).hex(),
        "n_phrases": len(filters.phrases),
        "scripts": catalog_scripts(connection, PATTERNS, _MIN_SCRIPT_SHARE)
        if filters.catalog_scripts_only
        else None,
        "max_unknown_share": filters.max_unknown_share,
        "index": index_name if filters.max_unknown_share < 1 else None,
    }
    canonical = canonical_json(settings)
    number = filters_number(connection, hash128(canonical), canonical, filters.phrases)
    return number, {"hash": hash128(canonical).hex(), **settings}


def title_test(filters: QueryFilters) -> TitleTest:
    """Return what says whether a bought title may serve as a query: it has no forbidden phrase."""
    if not filters.phrases:
        return _any_title
    phrases = _automaton(filters.phrases)
    return lambda title: phrases.find(title) is None


def _any_title(_title: str) -> bool:
    return True


def judge(filters: FrozenFilters, elastic: Elasticsearch, texts: Sequence[str]) -> list[Verdict]:
    """Return (reason, detail) for each text, in order: the first filter that removes it.

    Raises:
        DependencyError: the index could not be asked for its terms.
    """
    verdicts = [_judge_text(filters, text) for text in texts]
    if filters.index_name is None:
        return verdicts
    places = [place for place, verdict in enumerate(verdicts) if verdict is PASSED]
    counts = count_unknown(elastic, filters.index_name, [texts[place] for place in places])
    for place, (unknown, terms) in zip(places, counts, strict=True):
        if unknown > filters.max_unknown_share * terms:
            verdicts[place] = ("unknown", f"{unknown} of {terms} terms")
    return verdicts


def _judge_text(filters: FrozenFilters, text: str) -> Verdict:
    if filters.phrases and (phrase := _automaton(filters.phrases).find(text)) is not None:
        return ("phrase", phrase)
    if filters.scripts is not None and (foreign := scripts_of(text) - filters.scripts):
        return ("script", ", ".join(sorted(foreign)))
    return PASSED


@lru_cache(maxsize=2)
def _automaton(phrases: tuple[str, ...]) -> Phrases:
    return Phrases(phrases)
