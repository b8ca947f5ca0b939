"""The query for titles that match a text.

Always ``match``: generated texts and titles hold ``/ : ( ) " AND``, which query_string would parse
as operators or refuse.
"""

from typing import Any

from gpt4rec_es.options.lists import ANY_TERM, SearchOptions

# Elasticsearch refuses queries of too many clauses (1,024 in a small heap). A word may hold many
# terms ("a/b/c"), in scripts without spaces one per character, therefore the second bound.
MAX_WORDS = 64
MAX_CHARACTERS = 900
TITLE = "title"
# Fields whose text is no keyword, too: long ones.
_TEXTS = {TITLE, "description"}

# The field of titles' vectors, in indices that have them, and the entry of the mapping's _meta with
# the content hash of their encoder.
VECTOR_FIELD, ENCODER = "title_vector", "encoder"
MAX_DIMS = 4096  # components of a vector that Elasticsearch indexes


def search_text(text: str, options: SearchOptions = ANY_TERM) -> str:
    """Return the part of ``text`` that is searched for: its first 64 words, 900 characters.

    Searches of several fields have clauses for each of them, and share the characters.
    """
    parts = 1 + len(options.fields)
    if options.fields and options.minimum_should_match:
        parts *= 2
    return " ".join(text.split()[:MAX_WORDS])[: MAX_CHARACTERS // parts]


def text_field(field: str) -> str:
    """Return the name in the mapping of the analyzed text of ``field``."""
    return field if field in _TEXTS else f"{field}.words"


def title_query(text: str, options: SearchOptions = ANY_TERM) -> dict[str, Any]:
    """Return the scoring clause: items whose title, or fields, contain enough of the text's terms.

    Scores of several fields are added; one term in any of them is enough. A minimum_should_match
    counts the terms that at least one of them contains.
    """
    searched = search_text(text, options)
    minimum = options.minimum_should_match
    if not options.fields:
        required = {} if minimum is None else {"minimum_should_match": minimum}
        return {"match": {TITLE: {"query": searched, **required}}}
    scored: list[dict[str, Any]] = [{"match": {TITLE: {"query": searched}}}]
    scored += [
        {"match": {text_field(field): {"query": searched, "boost": weight}}}
        for field, weight in options.fields
    ]
    query: dict[str, Any] = {"should": scored, "minimum_should_match": 1}
    if minimum is not None:
        names = [TITLE, *(text_field(field) for field, _ in options.fields)]
        query["filter"] = {
            "multi_match": {
                "query": searched,
                "type": "cross_fields",
                "fields": names,
                "minimum_should_match": minimum,
            }
        }
    return {"bool": query}
