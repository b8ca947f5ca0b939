"""Measure a run for its gates, once per check; docs/operations.md describes each measure.

Names end in what a value is a part of: ``fallback_places`` is a fraction of places.
"""

from statistics import mean

from gpt4rec_es.db.rows import gates as counted
from gpt4rec_es.db.rows import measured_lists as lists
from gpt4rec_es.db.rows.first_queries import FirstQueries
from gpt4rec_es.db.rows.measured_lists import Places
from gpt4rec_es.filters.repetition import find_repetition
from gpt4rec_es.night.inputs.rules import search_options_of
from gpt4rec_es.night.publish.checked import Checked, has_equal_inputs
from gpt4rec_es.retrieval.known_terms import count_unknown

COHORT_USERS = "cohort_users"
USABLE_USERS = "usable_users"
USERS_WITHOUT_QUERIES = "users_without_queries"
USERS_WITHOUT_HITS = "users_without_hits"
FALLBACK_LISTS = "fallback_lists"
FALLBACK_PLACES = "fallback_places"
TOP_ITEM_LISTS = "top_item_lists"
TOP_FIRST_QUERY_USERS = "top_first_query_users"
DISTINCT_ITEMS = "distinct_items"
REPEATING_QUERIES = "repeating_queries"
UNKNOWN_QUERIES = "unknown_queries"
ODD_QUERIES = "odd_queries"
QUERY_WORDS = "query_words"
TITLE_WORDS = "title_words"
ODD_SCORES = "odd_scores"
OVERLAP = "overlap"
EQUAL_LISTS = "equal_lists"
OTHER_HISTORIES = "other_histories"
STILL_LISTS = "still_lists"
ACTIVE_ITEMS = "active_items"
MEDIAN_PRICE = "median_price"
BOUGHT_PLACES = "bought_places"
HELD_OUT_HIT_RATE = "held_out_hit_rate"
HELD_OUT_PUBLISHED = "held_out_hit_rate_published"
HELD_OUT_SECONDS = "held_out_seconds"
# Part of a source of the places that sources filled: this, and its name.
SOURCE_PLACES = "source_places:"

# Users whose queries are read, and queries of each: fewer than 12 requests for their terms.
_QUERY_USERS, _QUERY_RANKS = 1000, 3
# Users whose lists are compared with the published ones, and with their purchases.
_LIST_USERS = 50_000


def measure(checked: Checked, firsts: FirstQueries) -> None:
    """Add all measures of stored rows to ``checked``; ``firsts``: the users' first queries."""
    _served(checked)
    _places(checked)
    _queries(checked, firsts)
    _overlap(checked)
    catalog = lists.count_catalog(checked.connection)
    checked.add(ACTIVE_ITEMS, float(catalog.active), catalog.items)
    checked.add(MEDIAN_PRICE, catalog.median_price, catalog.priced)


def _served(checked: Checked) -> None:
    found = counted.count_served(checked.connection, checked.run.run_no)
    checked.add(COHORT_USERS, float(checked.run.cohort_size), checked.run.cohort_size)
    # Measured on those that sources serve; a holdback does not shrink a cohort.
    checked.add(USABLE_USERS, float(found.users + found.held_back), found.users)
    if checked.writes_queries:
        checked.add_fraction(USERS_WITHOUT_QUERIES, found.without_queries, found.with_prompt)
    checked.add_fraction(USERS_WITHOUT_HITS, found.without_hits, found.users)
    checked.add_fraction(FALLBACK_LISTS, found.mostly_fallbacks, found.users)
    checked.add_fraction(FALLBACK_PLACES, found.fallbacks, found.places)


def _places(checked: Checked) -> None:
    run = checked.run
    found: Places = lists.count_places(checked.connection, run.run_no)
    served = checked.measures[USABLE_USERS].n
    without = checked.measures[USERS_WITHOUT_HITS].value or 0
    checked.add_fraction(TOP_ITEM_LISTS, found.top, round(served * (1 - without)))
    checked.add(DISTINCT_ITEMS, float(found.items) if found.places else None, found.places)
    checked.add(ODD_SCORES, float(found.not_numbers), sum(found.by_source.values()))
    for source in checked.weights:
        part = found.by_source.get(source, 0)
        checked.add_fraction(SOURCE_PLACES + source, part, found.places)
    users, bought = lists.count_bought(checked.connection, run, _LIST_USERS)
    checked.add(BOUGHT_PLACES, float(bought), users)


def _queries(checked: Checked, firsts: FirstQueries) -> None:
    if not checked.writes_queries:
        return
    titles, found = lists.sample_queries(
        checked.connection, checked.run, _QUERY_USERS, _QUERY_RANKS
    )
    checked.add(TOP_FIRST_QUERY_USERS, firsts.top_fraction, firsts.users)
    texts = sorted({one.text for one in found})
    fields = [name for name, _ in search_options_of(checked.run.manifest).fields]
    unknown = {
        text: unknown == terms
        for text, (unknown, terms) in zip(
            texts,
            count_unknown(checked.elastic, checked.run.index_name, texts, fields),
            strict=True,
        )
    }
    repeating = {text for text in texts if find_repetition(text) is not None}
    total = len(found)
    checked.add_fraction(REPEATING_QUERIES, sum(one.text in repeating for one in found), total)
    checked.add_fraction(UNKNOWN_QUERIES, sum(unknown[one.text] for one in found), total)
    known = {symbol for title in titles for symbol in symbols_of(title)}
    odd = {text for text in texts if not symbols_of(text) <= known}
    checked.add_fraction(ODD_QUERIES, sum(one.text in odd for one in found), total)
    title_words = mean(len(one.split()) for one in titles) if titles else None
    checked.add(TITLE_WORDS, title_words, len(titles))
    checked.add(QUERY_WORDS, mean(len(one.text.split()) for one in found) if found else None, total)
    scores = checked.measures[ODD_SCORES]
    not_numbers = sum(not one.is_number for one in found)
    checked.add(ODD_SCORES, (scores.value or 0) + not_numbers, scores.n + total)


def symbols_of(text: str) -> frozenset[str]:
    """Return the characters that are neither letters, digits nor spaces."""
    return frozenset(one for one in text if not (one.isalnum() or one.isspace()))


def _overlap(checked: Checked) -> None:
    if checked.before is None:
        return
    # Of equal inputs all lists are equal, so all are compared.
    users = None if has_equal_inputs(checked) else _LIST_USERS
    found = lists.count_overlap(checked.connection, checked.run, checked.before, users)
    checked.add(OVERLAP, found.mean, found.users)
    checked.add_fraction(EQUAL_LISTS, found.equal, found.users)
    checked.add_fraction(STILL_LISTS, found.still, found.moved)
    checked.add_fraction(OTHER_HISTORIES, found.others, found.users - found.moved)
