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

# The field of titles' vectors, in indices that have them, and the entry of the mapping's _meta with
# the content hash of their encoder.
VECTOR_FIELD, ENCODER = "title_vector", "encoder"


def search_text(text: str) -> str:
    """Return the part of ``text`` that is searched for: its first 64 words, 900 characters."""
    return " ".join(text.split()[:MAX_WORDS])[:MAX_CHARACTERS]


def title_query(text: str, options: SearchOptions = ANY_TERM) -> dict[str, Any]:
    """Return the scoring clause: titles that contain enough of the text's terms."""
    return {"match": {"title": {"query": search_text(text), **options.as_dict()}}}
