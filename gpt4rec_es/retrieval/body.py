"""Search bodies as the lines of an msearch request; one template, filled in per text.

Only active items are found, best first, ties by item id. Item numbers are returned as the last sort
value, from doc values: reading a stored field per hit would take a third of the search.
"""

from typing import Any

import orjson

from gpt4rec_es.elastic.queries import title_query
from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions

# The default of index.max_result_window.
MAX_DEPTH = 10_000
# Searches with equal preferences are answered by the same copy of an index while it is there.
PREFERENCE = "gpt4rec"
# Not the default: partial results would look like a short list of hits.
HEADER = b'{"allow_partial_search_results":false,"preference":"%b"}\n' % PREFERENCE.encode()
# Left out of every search, as a clause of must_not.
NOT_INACTIVE = {"term": {"is_active": False}}
_MARK = "MARK"


def require_depth(depth: int) -> None:
    """Refuse a number of hits that no search can give.

    Raises:
        UsageError: ``depth`` is not between 1 and 10,000.
    """
    if not 1 <= depth <= MAX_DEPTH:
        raise UsageError(f"The depth {depth} is not between 1 and {MAX_DEPTH}.")


def search_body(text: str, depth: int, options: SearchOptions = ANY_TERM) -> dict[str, Any]:
    """Return the body of the search for the best ``depth`` active items."""
    return {
        "query": active_query(text, options),
        **bare(depth),
    }


def active_query(text: str, options: SearchOptions = ANY_TERM) -> dict[str, Any]:
    """Return the query for active items; the filter does not change scores.

    Every document has the field; must_not with the few inactive items is cheaper than a filter for
    the active ones.
    """
    return {
        "bool": {
            "must": [title_query(text, options)],
            "must_not": [NOT_INACTIVE],
        }
    }


def has_no_term_body(text: str) -> dict[str, Any]:
    """Return the body of a search with a hit exactly if no term of the text is left.

    It matches titles that a match query with zero_terms_query "all" finds and one with "none" does
    not.
    """
    or_all = title_query(text)
    or_all["match"]["title"]["zero_terms_query"] = "all"
    return {
        "query": {"bool": {"must": [or_all], "must_not": [title_query(text)]}},
        **bare(1),
    }


def bare(size: int) -> dict[str, Any]:
    """Return the common part of a body: hits contain only their sort values."""
    return {
        # Ids are unique, so the number does not affect the order; it is only returned.
        "sort": [{"_score": "desc"}, {"item_id": "asc"}, {"item_no": "asc"}],
        "size": size,
        "_source": False,
        "stored_fields": "_none_",
        "track_total_hits": False,
    }


class Template:
    """Two msearch lines with placeholders for the text; ten times faster than JSON encoding."""

    def __init__(self, body: dict[str, Any]) -> None:
        """Make a template of a ``body`` for the text ``MARK``."""
        self._parts = (HEADER + orjson.dumps(body) + b"\n").split(orjson.dumps(_MARK))

    @classmethod
    def search(cls, depth: int, options: SearchOptions = ANY_TERM) -> "Template":
        """Return the template of ``search_body``."""
        return cls(search_body(_MARK, depth, options))

    @classmethod
    def has_no_term(cls) -> "Template":
        """Return the template of ``has_no_term_body``."""
        return cls(has_no_term_body(_MARK))

    def fill(self, text: str) -> bytes:
        """Return the lines for ``text``, a result of ``search_text`` by the same options.

        Raises:
            UsageError: the text is not valid Unicode.
        """
        try:
            return orjson.dumps(text).join(self._parts)
        except orjson.JSONEncodeError:
            raise UsageError(f"The query {text!r} is not valid Unicode.") from None
