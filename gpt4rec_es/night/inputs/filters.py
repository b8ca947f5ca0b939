"""Query filters of a run, frozen at planning; the search stage asks them about each text.

Generations stay as they were written.
"""

from sqlalchemy import Connection

from gpt4rec_es.db.rows.filters import filters_number
from gpt4rec_es.options.lists import QueryFilters
from gpt4rec_es.prompts.keys import canonical_json, hash128
from gpt4rec_es.retrieval.query_filters import filter_settings


def freeze_filters(
    connection: Connection, filters: QueryFilters, index_name: str
) -> tuple[int | None, dict[str, object] | None]:
    """Return number and manifest entry of the filters as they are now; None: there are none."""
    if not filters.is_on:
        return None, None
    settings = filter_settings(connection, filters, index_name)
    canonical = canonical_json(settings)
    number = filters_number(connection, hash128(canonical), canonical, filters.phrases)
    return number, {"hash": hash128(canonical).hex(), **settings}
