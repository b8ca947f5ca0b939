"""The create-index request body, from mappings/*.json and the chosen analyzer."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import orjson

from gpt4rec_es.elastic.queries import ENCODER, VECTOR_FIELD
from gpt4rec_es.elastic.similarity import SIMILARITY, FieldBm25, similarity_of
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.records import Bm25, Document
from gpt4rec_es.resources import resource_path

DESCRIPTION = "description"
_SYNONYMS, SEARCH_ANALYZER = "catalog_synonyms", "catalog_search"
# Of the graph (HNSW): neighbours of a vector, and candidates for them; Elasticsearch's defaults.
_LINKS, _CONSTRUCTION = 16, 100


@dataclass(frozen=True, slots=True)
class Analysis:
    """Analysis of titles: an analyzer in mappings/analyzers.json, and Solr synonym rules."""

    analyzer: str = "standard"
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VectorField:
    """Vectors of titles in an index: whose they are, how wide, and how they are searched.

    encoder: content hash of the encoder that made them. dims: number of components. kind: flat (all
    are compared, exact), hnsw (by a graph), int8_hnsw (by a graph, components of one byte).
    """

    encoder: str
    dims: int
    kind: Literal["flat", "hnsw", "int8_hnsw"] = "flat"

    @property
    def bytes_per_document(self) -> int:
        """Room on disk for a vector, about: its components, their text, and its links in a graph.

        A load keeps the numbers as text, 12 bytes each, until the segments are merged.
        """
        components = self.dims * (13 if self.kind == "int8_hnsw" else 12)
        return components + (0 if self.kind == "flat" else 8 * _LINKS)


def index_body(
    bm25: Bm25,
    analysis: Analysis,
    *,
    fields: FieldBm25 = MappingProxyType({}),
    replicas: int = 0,
    vectors: VectorField | None = None,
) -> dict[str, Any]:
    """Return the settings and mappings of a new index, with vectors of titles if asked for.

    fields: k1 and b of fields beside the title that differ from the defaults.

    Raises:
        UsageError: there is no analyzer of that name.
    """
    body = _load("items.json")
    index = body["settings"]["index"]
    index["number_of_replicas"] = replicas
    index["similarity"][SIMILARITY].update(k1=bm25.k1, b=bm25.b)
    for name, one in fields.items():
        index["similarity"][similarity_of(name)].update(k1=one.k1, b=one.b)
    chosen = _choice(analysis.analyzer)
    filters, analyzers = index["analysis"]["filter"], index["analysis"]["analyzer"]
    filters.update(chosen["filters"])
    chain = chosen["chain"]
    analyzers["catalog_text"]["filter"] = chain
    if analysis.synonyms:
        filters[_SYNONYMS] = {"type": "synonym_graph", "synonyms": list(analysis.synonyms)}
        # Elasticsearch applies the preceding filters to the rules: after lowercase, so that case
        # does not matter, and before stemming, so that rules contain unstemmed words.
        place = chain.index("lowercase") + 1
        chain = [*chain[:place], _SYNONYMS, *chain[place:]]
    analyzers[SEARCH_ANALYZER]["filter"] = chain
    if vectors is not None:
        body["mappings"] |= _vector_mappings(body["mappings"], vectors)
    return body


def _vector_mappings(mappings: dict[str, Any], vectors: VectorField) -> dict[str, Any]:
    graph = {} if vectors.kind == "flat" else {"m": _LINKS, "ef_construction": _CONSTRUCTION}
    field = {
        "type": "dense_vector",
        "dims": vectors.dims,
        "index": True,
        "similarity": "dot_product",  # the cosine, as vectors have length 1
        "index_options": {"type": vectors.kind, **graph},
    }
    return {
        # The field alone does not say whose vectors it holds.
        "_meta": {ENCODER: vectors.encoder},
        # Numbers as text would take more room than the vectors; nothing reads them.
        "_source": {"excludes": [VECTOR_FIELD]},
        "properties": {**mappings["properties"], VECTOR_FIELD: field},
    }


def analysis_settings(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis settings of an index, also for a clone with other synonyms.

    A clone keeps the filters of its source; only those that an analyzer names have an effect.

    Raises:
        UsageError: there is no analyzer of that name.
    """
    settings: dict[str, Any] = index_body(Bm25(), analysis)["settings"]["index"]["analysis"]
    return settings


def synonym_rules(text: str) -> tuple[str, ...]:
    """Return the rules of a file of synonyms: its lines but for comments.

    Raises:
        UsageError: a line is none: ``a, b``, or ``a => b`` with words on both sides.
    """
    rules = []
    for number, line in enumerate(text.splitlines(), start=1):
        rule = line.strip()
        if not rule or line.startswith("#"):
            continue
        sides = rule.split("=>")
        if len(sides) > 2 or not all(side.strip(", \t") for side in sides):
            raise UsageError(
                f"Line {number} of the synonyms is no rule: {rule}",
                "Write one Solr rule per line, as: tv, television, or: tv => television",
            )
        rules.append(rule)
    return tuple(rules)


def read_synonyms(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the synonym rules in use, of the flat settings of an index."""
    prefix = "index.analysis."
    if _SYNONYMS not in settings[f"{prefix}analyzer.{SEARCH_ANALYZER}.filter"]:
        return ()
    return tuple(settings[f"{prefix}filter.{_SYNONYMS}.synonyms"])


def _choice(analyzer: str) -> dict[str, Any]:
    choices = _load("analyzers.json")
    if analyzer not in choices:
        raise UsageError(
            f"There is no analyzer {analyzer!r}.", f"Choose one of {', '.join(choices)}."
        )
    found: dict[str, Any] = choices[analyzer]
    return found


def mapping_hash(analysis: Analysis) -> str:
    """Return a hex digest of the fields and of all analysis settings.

    k1, b and replicas are excluded: they can differ between indices of equal content. So are
    vectors: ``builds`` says whose an index has; and descriptions: an index without their field
    answers as one of a catalog without any, and a catalog that got some has another version.
    """
    body = index_body(Bm25(), analysis)
    del body["mappings"]["properties"][DESCRIPTION]
    settings = body["settings"]["index"]
    kept = {"analysis": settings["analysis"], "mappings": body["mappings"]}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:32]


def _load(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(resource_path("mappings", name).read_text(encoding="utf-8"))
    return body


# Elasticsearch's own limit on an id, in UTF-8.
_MAX_ID_BYTES = 512


def encode_document(document: Document) -> bytes:
    """Return the action line and the source line for one item, each ending in a newline.

    The id is given, so sending a document twice creates one document.

    Raises:
        DataError: the item id is too long for an index.
    """
    if len(document.item_id.encode()) > _MAX_ID_BYTES:
        raise DataError(
            f"The item id {document.item_id[:60]!r}... is longer than {_MAX_ID_BYTES} bytes.",
            "An index takes no longer ones.",
        )
    action = orjson.dumps({"index": {"_id": document.item_id}})
    source = orjson.dumps(source_of(document), option=orjson.OPT_SERIALIZE_NUMPY)
    return b"%b\n%b\n" % (action, source)


def source_of(document: Document) -> dict[str, Any]:
    """Return the indexed fields of one item."""
    values = {
        "item_id": document.item_id,
        "item_no": document.item_no,
        "title": document.title,
        "brand": document.brand,
        "category": document.category,
        "price": None if document.price is None else float(document.price),
        "is_active": document.is_active,
    }
    if document.description is not None:
        values[DESCRIPTION] = document.description
    if document.vector is not None:
        values[VECTOR_FIELD] = np.frombuffer(document.vector, dtype="<f4")
    return values
