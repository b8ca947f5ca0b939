"""The user's own newest titles as queries: generated queries must beat these first."""

from collections.abc import Mapping, Sequence


def newest_titles(history: Sequence[int], titles: Mapping[int, str], count: int) -> list[str]:
    """Return at most ``count`` of the newest titles, newest first, each once."""
    found = [titles[item] for item in reversed(history) if titles.get(item)]
    return list(dict.fromkeys(found))[:count]
