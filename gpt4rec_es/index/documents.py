"""Catalog items as the lines of a bulk request."""

from typing import Any

import orjson

from gpt4rec_es.errors import DataError
from gpt4rec_es.records import Document

# Elasticsearch's own limit on an id, in UTF-8.
_MAX_ID_BYTES = 512


def encode_document(document: Document) -> bytes:
    """Return the action line and the source line for one item, each ending in a newline.

    The id is given, so sending a document twice leaves one document.

    Raises:
        DataError: the item id is longer than an index takes.
    """
    if len(document.item_id.encode()) > _MAX_ID_BYTES:
        raise DataError(
            f"The item id {document.item_id[:60]!r}... is longer than {_MAX_ID_BYTES} bytes.",
            "An index takes no longer ones.",
        )
    action = orjson.dumps({"index": {"_id": document.item_id}})
    return b"%b\n%b\n" % (action, orjson.dumps(source_of(document)))


def encode_deletion(item_id: str) -> bytes:
    """Return the action line that deletes the document of an item, ending in a newline."""
    return b"%b\n" % orjson.dumps({"delete": {"_id": item_id}})


def source_of(document: Document) -> dict[str, Any]:
    """Return what an index holds of one item, by field."""
    return {
        "item_id": document.item_id,
        "item_no": document.item_no,
        "title": document.title,
        "brand": document.brand,
        "category": document.category,
        "price": None if document.price is None else float(document.price),
        "is_active": document.is_active,
    }
