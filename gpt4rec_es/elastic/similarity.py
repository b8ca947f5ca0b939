"""k1 and b in the settings of a named similarity of an index.

The similarity is custom because Elasticsearch's built-in ones cannot be configured.
Norms hold only field lengths, so an index cloned with other values needs no reindexing.
"""

import re
from collections.abc import Iterator, Mapping
from math import isclose
from typing import Any

from elasticsearch import Elasticsearch

from gpt4rec_es.errors import DataError
from gpt4rec_es.records import Bm25

SIMILARITY = "catalog_bm25"
# Leaves of an explanation: "k1, term saturation parameter" and "b, length normalization parameter".
_LEAF = re.compile(r"(k1|b), ")


def similarity_settings(bm25: Bm25) -> dict[str, Any]:
    """Return the flat index settings of a similarity with these values."""
    return {
        f"index.similarity.{SIMILARITY}.k1": bm25.k1,
        f"index.similarity.{SIMILARITY}.b": bm25.b,
    }


def read_bm25(client: Elasticsearch, index: str) -> Bm25:
    """Return k1 and b from the settings of the concrete index ``index``.

    Raises:
        DataError: the index has no such similarity, so this program did not make it.
        NotFoundError: there is no such index (an error of the client).
    """
    answer = client.indices.get_settings(index=index, flat_settings=True).body
    settings = answer[index]["settings"]
    prefix = f"index.similarity.{SIMILARITY}."
    try:
        # Elasticsearch returns settings as text.
        return Bm25(float(settings[prefix + "k1"]), float(settings[prefix + "b"]))
    except KeyError:
        raise DataError(
            f"The index {index} has no similarity {SIMILARITY}.", "`gpt4rec reindex` makes one."
        ) from None


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
