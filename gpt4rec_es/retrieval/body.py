"""Search bodies as the lines of an msearch request; one template, filled in per text.

Only active items are found, best first, equal scores by item id. Item numbers come back as the last
sort value, from doc values: reading a stored field per hit would cost a third of the whole search.
"""

from typing import Any

import orjson

from gpt4rec_es.elastic.queries import title_query
from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions

# What an index allows by default (index.max_result_window).
MAX_DEPTH = 10_000
# Never the default: a search that reached only some of the data would look like a short list.
_HEADER = b'{"allow_partial_search_results":false}\n'
_MARK = "MARK"


def search_body(text: str, depth: int, options: SearchOptions = ANY_TERM) -> dict[str, Any]:
    """Return the body of the search for the best ``depth`` active items."""
    return {
        "query": active_query(text, options),
        **_bare(depth),
    }


def active_query(text: str, options: SearchOptions = ANY_TERM) -> dict[str, Any]:
    """Return the query for active items; whether an item is active does not enter its score.

    Every document has the field, and leaving out the few that are not active is cheaper than
    asking for the many that are.
    """
    return {
        "bool": {
            "must": [title_query(text, options)],
            "must_not": [{"term": {"is_active": False}}],
        }
    }


def has_no_term_body(text: str) -> dict[str, Any]:
    """Return the body of a search that finds something exactly if no term of the text is left.

    Of all titles, or of those that match if there is a term, those that do not match.
    """
    or_all = title_query(text)
    or_all["match"]["title"]["zero_terms_query"] = "all"
    return {
        "query": {"bool": {"must": [or_all], "must_not": [title_query(text)]}},
        **_bare(1),
    }


def _bare(size: int) -> dict[str, Any]:
    """Return the rest of a body: hits hold nothing but their sort values."""
    return {
        # Ids differ, so the number decides nothing; it is there to be read.
        "sort": [{"_score": "desc"}, {"item_id": "asc"}, {"item_no": "asc"}],
        "size": size,
        "_source": False,
        "stored_fields": "_none_",
        "track_total_hits": False,
    }


class Template:
    """Two lines of msearch around a text; filling it in is ten times cheaper than encoding."""

    def __init__(self, body: dict[str, Any]) -> None:
        """Take a ``body`` made for the text ``MARK``."""
        self._parts = (_HEADER + orjson.dumps(body) + b"\n").split(orjson.dumps(_MARK))

    @classmethod
    def search(cls, depth: int, options: SearchOptions = ANY_TERM) -> "Template":
        """Return the template of ``search_body``."""
        return cls(search_body(_MARK, depth, options))

    @classmethod
    def has_no_term(cls) -> "Template":
        """Return the template of ``has_no_term_body``."""
        return cls(has_no_term_body(_MARK))

    def fill(self, text: str) -> bytes:
        """Return the lines for ``text``, which must have gone through ``search_text``.

        Raises:
            UsageError: the text is not valid Unicode.
        """
        try:
            return orjson.dumps(text).join(self._parts)
        except orjson.JSONEncodeError:
            raise UsageError(f"The query {text!r} is not valid Unicode.") from None
