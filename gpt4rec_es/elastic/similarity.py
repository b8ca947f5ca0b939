"""k1 and b in the settings of a named similarity of an index.

The similarity is custom because Elasticsearch's built-in ones cannot be configured.
Norms hold only field lengths, so an index cloned with other values needs no reindexing.
"""

import re
from collections.abc import Iterator, Mapping
from math import isclose
from typing import Any, TypeAlias

from elasticsearch import Elasticsearch

from gpt4rec_es.errors import DataError
from gpt4rec_es.options.search_options import FIELDS
from gpt4rec_es.records import Bm25

SIMILARITY = "catalog_bm25"
# k1 and b of fields, by name; those that are not named have the defaults.
FieldBm25: TypeAlias = Mapping[str, Bm25]
# Leaves of an explanation: "k1, term saturation parameter" and "b, length normalization parameter".
_LEAF = re.compile(r"(k1|b), ")


def similarity_of(field: str) -> str:
    """Return the name of the similarity of a field that is searched beside the title."""
    return f"{field}_bm25"


def similarity_settings(bm25: Bm25, fields: FieldBm25) -> dict[str, Any]:
    """Return the flat index settings of similarities with these values."""
    values = {SIMILARITY: bm25} | {similarity_of(name): one for name, one in fields.items()}
    return {
        f"index.similarity.{name}.{key}": value
        for name, one in values.items()
        for key, value in (("k1", one.k1), ("b", one.b))
    }


def read_bm25(client: Elasticsearch, index: str) -> Bm25:
    """Return k1 and b from the settings of the concrete index ``index``.

    Raises:
        DataError: the index has no such similarity, so this program did not make it.
        NotFoundError: there is no such index (an error of the client).
    """
    answer = client.indices.get_settings(index=index, flat_settings=True).body
    found = _read(answer[index]["settings"], SIMILARITY)
    if found is None:
        raise DataError(
            f"The index {index} has no similarity {SIMILARITY}.", "`gpt4rec reindex` makes one."
        )
    return found


def read_field_bm25(client: Elasticsearch, index: str) -> FieldBm25:
    """Return k1 and b of fields beside the title, of those that differ from the defaults."""
    settings = client.indices.get_settings(index=index, flat_settings=True).body[index]["settings"]
    # An index that was built before a field existed has no similarity of it.
    read = {name: _read(settings, similarity_of(name)) for name in FIELDS}
    return other_than_default({name: one for name, one in read.items() if one is not None})


def other_than_default(fields: FieldBm25) -> FieldBm25:
    """Return the values that differ from the defaults."""
    return {name: one for name, one in fields.items() if not same_bm25(one, Bm25())}


def _read(settings: Mapping[str, str], similarity: str) -> Bm25 | None:
    prefix = f"index.similarity.{similarity}."
    try:
        # Elasticsearch returns settings as text.
        return Bm25(float(settings[prefix + "k1"]), float(settings[prefix + "b"]))
    except KeyError:
        return None


def same_field_bm25(one: FieldBm25, other: FieldBm25) -> bool:
    """Return whether both name the same fields with equal values, see ``same_bm25``."""
    return one.keys() == other.keys() and all(same_bm25(one[name], other[name]) for name in one)


def same_bm25(one: Bm25, other: Bm25) -> bool:
    """Return whether both are equal in single precision, as both servers store them."""
    return all(
        isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) for a, b in ((one.k1, other.k1), (one.b, other.b))
    )


def explained_bm25(explanation: Mapping[str, Any]) -> set[Bm25]:
    """Return k1 and b of the score formulas in an ``_explain`` response, one per clause.

    Empty when no clause of the query matched the document.
    """
    found: set[Bm25] = set()
    for node in walk(explanation):
        leaves = {
            match[1]: float(part["value"])
            for part in node.get("details", ())
            if (match := _LEAF.match(part["description"]))
        }
        if leaves.keys() == {"k1", "b"}:
            found.add(Bm25(leaves["k1"], leaves["b"]))
    return found


def walk(explanation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every node of an explanation, parents first."""
    yield explanation
    for part in explanation.get("details", ()):
        yield from walk(part)
