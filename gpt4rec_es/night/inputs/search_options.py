"""How a run's generated queries are searched for: named in its manifest, numbered for searches."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from gpt4rec_es.db.rows.searches import NO_OPTIONS, options_number
from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.prompts.keys import canonical_json, hash128


def search_options_of(manifest: Mapping[str, Any]) -> SearchOptions:
    """Return the search options of a manifest; older ones have none."""
    return SearchOptions.from_dict(manifest.get("search_options"))


def search_options_number(connection: Connection, options: SearchOptions) -> int:
    """Return the number under which searches by ``options`` are stored."""
    values = options.as_dict()
    if not values:
        return NO_OPTIONS
    canonical = canonical_json(values)
    return options_number(connection, hash128(canonical), canonical)
