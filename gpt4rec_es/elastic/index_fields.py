"""Which fields an index can be searched by: one that was built before a field existed has it not.

Elasticsearch answers a search of a missing field with no hits, not with an error.
"""

from collections.abc import Iterable

from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.queries import text_field
from gpt4rec_es.errors import DataError


def searchable_fields(client: Elasticsearch, index: str, fields: Iterable[str]) -> list[str]:
    """Return those of ``fields`` whose words the concrete ``index`` holds, in order.

    Raises:
        UsageError: there is no such index.
        DependencyError: Elasticsearch cannot answer.
    """
    with plain_errors(client):
        mapping = client.indices.get_mapping(index=index).body[index]["mappings"]
    return [name for name in fields if _has(mapping["properties"], text_field(name))]


def require_fields(
    client: Elasticsearch,
    index: str,
    fields: Iterable[str],
    hint: str = "`gpt4rec reindex` builds one that has.",
) -> None:
    """Raise unless the words of all ``fields`` are in ``index``; hint: the way out.

    Raises:
        DataError: it lacks one.
        UsageError: there is no such index.
        DependencyError: Elasticsearch cannot answer.
    """
    wanted = list(fields)
    if not wanted:
        return
    there = searchable_fields(client, index, wanted)
    lacking = [name for name in wanted if name not in there]
    if lacking:
        raise DataError(f"The index {index} has no field {', '.join(lacking)} to search.", hint)


def _has(properties: dict[str, dict[str, dict[str, object]]], name: str) -> bool:
    field, _, inner = name.partition(".")
    found = properties.get(field)
    return found is not None and (not inner or inner in found.get("fields", {}))
