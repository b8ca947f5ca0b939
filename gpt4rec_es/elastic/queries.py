"""The one way in which a text becomes a search of titles.

``match`` and nothing else: generated texts and titles hold ``/ : ( ) " AND``, which a mini-language
such as query_string would obey or choke on.
"""

from typing import Any

from gpt4rec_es.options.lists import ANY_TERM, SearchOptions

# Elasticsearch refuses queries of too many clauses (1,024 in a small heap). A word may hold many
# terms ("a/b/c"), in scripts without spaces one per character, therefore the second bound.
MAX_WORDS = 64
MAX_CHARACTERS = 900


def search_text(text: str) -> str:
    """Return what is searched for when ``text`` is asked: its first 64 words, 900 characters."""
    return " ".join(text.split()[:MAX_WORDS])[:MAX_CHARACTERS]


def title_query(text: str, options: SearchOptions = ANY_TERM) -> dict[str, Any]:
    """Return the scoring clause: titles that hold enough of the text's terms."""
    return {"match": {"title": {"query": search_text(text), **options.as_dict()}}}
