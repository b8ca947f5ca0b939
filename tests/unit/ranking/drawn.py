"""Hits drawn by hypothesis: lists of item numbers, and their search results."""

from hypothesis import strategies as st

from gpt4rec_es.records import SearchResult

hit_lists = st.lists(st.integers(0, 25), unique=True, max_size=20)


def searched(item_nos: list[int] | None, depth: int) -> SearchResult:
    """Return the search result of these hits at ``depth``; None: the text has no token."""
    if item_nos is None:
        return SearchResult((), (), exhausted=True, is_empty_query=True)
    shown = tuple(item_nos[:depth])
    scores = tuple(50.0 - place for place in range(len(shown)))
    return SearchResult(shown, scores, exhausted=depth > len(item_nos))
