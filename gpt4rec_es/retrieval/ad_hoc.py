"""A single search with the night's query, with titles and optional score explanations."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.alias import resolve_alias
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.index_fields import require_fields
from gpt4rec_es.elastic.queries import TITLE, search_text, text_field
from gpt4rec_es.elastic.similarity import read_bm25, walk
from gpt4rec_es.errors import DependencyError, UsageError
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.options.search_options import FIELDS
from gpt4rec_es.records import Bm25
from gpt4rec_es.retrieval.body import MAX_DEPTH, PREFERENCE, search_body

_WEIGHT = re.compile(r"weight\((.*) in \d+\)")
_TEXTS = [text_field(name) for name in (TITLE, *FIELDS)]
_LEAF = re.compile(r"(n|N|dl|avgdl|freq|termFreq|phraseFreq)[,=]")


@dataclass(frozen=True, slots=True)
class TermScore:
    """Score of one query term in one field: weight * (k1 + 1) * idf * tf.

    documents: number of texts of the field with the term (of a phrase, with its rarest term), of
    ``all_documents``. frequency: term frequency in this text. length: terms in this text (rounded
    above 40); average_length: mean over all texts of the field.
    """

    field: str
    term: str
    score: float
    documents: int
    all_documents: int
    frequency: float
    length: float
    average_length: float


@dataclass(frozen=True, slots=True)
class FoundItem:
    """One hit. terms: None unless an explanation was asked for."""

    rank: int
    item_id: str
    title: str
    score: float
    brand: str | None
    category: str | None
    terms: list[TermScore] | None


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Result of a search with its index and options; text: the text searched for.

    bm25: of titles. fields: weights of fields searched beside the title.
    """

    text: str
    index: str
    bm25: Bm25
    hits: list[FoundItem]
    minimum_should_match: str | None
    fields: dict[str, float]


def search_titles(
    client: Elasticsearch,
    alias: str,
    text: str,
    k: int,
    options: SearchOptions = ANY_TERM,
    *,
    explain: bool = False,
) -> SearchAnswer:
    """Return the ``k`` best active items for ``text`` in the index behind ``alias``.

    options: search options.

    Raises:
        UsageError: the text is empty, ``k`` is out of range, or the alias points nowhere.
        DataError: the index lacks a field that the options name.
        DependencyError: Elasticsearch cannot answer.
    """
    searched = checked_text(text, k, options)
    with plain_errors(client):
        index = resolve_alias(client, alias)
        require_fields(client, index, dict(options.fields))
        bm25 = read_bm25(client, index)
        body = search_body(searched, k, options) | {"explain": explain}
        hits = find_with_titles(client, index, body)
    found = [_found(rank, hit) for rank, hit in enumerate(hits, start=1)]
    minimum, fields = options.minimum_should_match, dict(options.fields)
    return SearchAnswer(searched, index, bm25, found, minimum, fields)


def checked_text(text: str, k: int, options: SearchOptions = ANY_TERM) -> str:
    """Return the part of ``text`` that is searched for.

    Raises:
        UsageError: it is empty or not valid UTF-8, or ``k`` hits cannot be asked for.
    """
    if not 1 <= k <= MAX_DEPTH:
        raise UsageError(f"{k} hits cannot be asked for.", f"Ask for 1 to {MAX_DEPTH}.")
    searched = search_text(text, options)
    if not searched:
        raise UsageError("There is nothing to search for.", "Give a text.")
    try:
        searched.encode()
    except UnicodeEncodeError:
        raise UsageError("The text is not valid UTF-8.") from None
    return searched


def find_with_titles(
    client: Elasticsearch, index: str, body: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the hits of a search ``body`` of the night, with ids, titles, brands and categories.

    Raises:
        DependencyError: not all of the index was searched.
    """
    wanted = {**body, "_source": ["item_id", "title", "brand", "category"]}
    del wanted["stored_fields"]  # it would omit _source
    answer = client.perform_request(
        "POST",
        f"/{index}/_search",
        params={"allow_partial_search_results": "false", "preference": PREFERENCE},
        headers={"accept": "application/json", "content-type": "application/json"},
        body=wanted,
    ).body
    if answer["timed_out"] or answer["_shards"]["failed"]:
        raise DependencyError("Elasticsearch did not search all of the index.", "Try again.")
    hits: list[dict[str, Any]] = answer["hits"]["hits"]
    return hits


def term_scores(explanation: Mapping[str, Any]) -> Iterator[TermScore]:
    """Yield the score of each matching term (or group of synonyms, or phrase)."""
    for node in walk(explanation):
        if match := _WEIGHT.match(node["description"]):
            # The first name is the field's: a term may hold a colon, too.
            named = {match[1].find(f"{name}:"): name for name in _TEXTS}
            field = named[min(place for place in named if place >= 0)]
            leaves: dict[str, float] = {}
            for part in walk(node):
                if leaf := _LEAF.match(part["description"]):
                    value = float(part["value"])
                    name = "freq" if leaf[1].lower().endswith("freq") else leaf[1]
                    # A phrase has one n per word: use the rarest.
                    leaves[name] = min(value, leaves.get(name, value))
            yield TermScore(
                field.removesuffix(".words"),
                match[1].replace(f"{field}:", ""),
                float(node["value"]),
                int(leaves["n"]),
                int(leaves["N"]),
                leaves["freq"],
                leaves["dl"],
                leaves["avgdl"],
            )


def _found(rank: int, hit: dict[str, Any]) -> FoundItem:
    source, explanation = hit["_source"], hit.get("_explanation")
    return FoundItem(
        rank,
        source["item_id"],
        source["title"],
        hit["_score"],
        source.get("brand"),
        source.get("category"),
        None if explanation is None else list(term_scores(explanation)),
    )
