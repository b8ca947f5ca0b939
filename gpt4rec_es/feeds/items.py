"""Catalog items from records of any shape: which fields a record has, and their clean values.

A missing field differs from an empty one, so that a feed without brands does not delete stored
brands.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Batch, Micros, Reject, excerpt, shown
from gpt4rec_es.feeds.fields.flags import flag
from gpt4rec_es.feeds.fields.structured import brand_of, levels_of, paragraphs_of, title_of
from gpt4rec_es.feeds.fields.titles import clean_title, storable
from gpt4rec_es.feeds.formats import Reading
from gpt4rec_es.feeds.marks import present
from gpt4rec_es.feeds.skips import SKIP_ITEM, is_left_out
from gpt4rec_es.feeds.values import external_id, price_amount, utf8, whole_number

MAX_TITLE = 10_000
# Brand and category become keywords of the index, whose terms may have 32,766 bytes.
MAX_LABEL = 2000
# A description is cut: a long one says no more about what an item is, and fills the index. As much
# is cleaned, since markup may take most of it.
MAX_DESCRIPTION = 4000
_READ_OF_DESCRIPTION = 10 * MAX_DESCRIPTION
# Bits of Item.given.
TITLE, BRAND, CATEGORY, PRICE, DESCRIPTION = 1, 2, 4, 8, 16

_clean_label = lru_cache(maxsize=65_536)(clean_title)


class Item(NamedTuple):
    """One catalog item as delivered; ``given`` has a bit for each field of the record.

    is_active None: the record has no such field.
    """

    item_id: str
    title: str | None
    title_raw: str | None
    brand: str | None
    category: str | None
    price: Decimal | None
    is_active: bool | None
    given: int
    description: str | None = None


class ItemBatch(NamedTuple):
    """Items of one batch, rejects, and the ids of rejected records with a valid id.

    skipped: reason -> number of records that were left out, with those that the reader left out.
    """

    items: list[Item]
    rejects: list[Reject]
    rejected_ids: list[str]
    skipped: Counter[str]


_USUAL = Reading()


def read_items(batch: Batch, path: str, reading: Reading = _USUAL) -> ItemBatch:
    """Return the items in ``batch``, and rejects for invalid records.

    Records hold the fields of ``shapes.ITEM_FIELDS``. An item without usable title is not rejected:
    it belongs to the catalog.
    """
    result = ItemBatch([], list(batch.rejects), [], Counter(batch.skipped))
    for line, raw, record in zip(batch.lines, batch.raws, batch.values, strict=True):
        item_id = None
        try:
            delivered = present(record[0], reading.marks)
            if "item_id" in reading.integer_ids:
                delivered = whole_number(delivered)
            item_id = external_id(delivered, "item id")
            if is_left_out(item_id, reading):
                result.skipped[SKIP_ITEM] += 1
            else:
                result.items.append(_convert(item_id, record, reading))
        except BadRecordError as error:
            result.rejects.append(Reject(path, line, error.code, error.reason, excerpt(raw)))
            if item_id is not None:
                result.rejected_ids.append(item_id)
    return result


def _convert(item_id: str, record: Sequence[object], reading: Reading) -> Item:
    marks = reading.marks
    _, title, brand, category, price, active, description = [
        present(value, marks) for value in record
    ]
    given = 0
    bits = (TITLE, BRAND, CATEGORY, PRICE, DESCRIPTION)
    for bit, value in zip(bits, (*record[1:5], record[6]), strict=True):
        if value is not ABSENT:
            given |= bit
    raw = _text(_unwrapped(title, title_of, marks), "title", MAX_TITLE)
    return Item(
        item_id,
        clean_title(raw, marks) if raw else None,
        storable(raw) if raw else None,
        _label(_unwrapped(brand, brand_of, marks), "brand"),
        _category(_unwrapped(category, levels_of, marks)),
        _price(price, reading),
        flag(active, reading.flags),
        given,
        _description(_unwrapped(description, paragraphs_of, marks), marks),
    )


def _unwrapped(value: object, unwrap: Callable[[object], object], marks: frozenset[str]) -> object:
    if type(value) is str and value.lstrip()[:1] not in ("{", "["):
        return value
    return present(unwrap(value), marks)


def _text(value: object, name: str, longest: int) -> str:
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, bytes):
        value = utf8(value, name)
    if isinstance(value, int | float) and not isinstance(value, bool | Micros):
        value = str(value)  # a film may be called 1984
    if not isinstance(value, str):
        raise BadRecordError("bad_text", f"the {name} is no text but {shown(value)}")
    if len(value) > longest:
        raise BadRecordError("field_too_long", f"the {name} has more than {longest} characters")
    return value


def _label(value: object, name: str) -> str | None:
    text = _text(value, name, MAX_LABEL)
    return _clean_label(text) if text else None


def _description(value: object, marks: frozenset[str]) -> str | None:
    """Return the first characters, whole words, of a description without markup."""
    if isinstance(value, str | bytes):
        value = value[:_READ_OF_DESCRIPTION]
    text = _text(value, "description", _READ_OF_DESCRIPTION)
    clean = clean_title(text, marks) if text else None
    if clean is None or len(clean) <= MAX_DESCRIPTION:
        return clean
    # One character more: a word that ends there stays whole.
    words = clean[: MAX_DESCRIPTION + 1].rpartition(" ")[0]
    return words or clean[:MAX_DESCRIPTION]


def _category(value: object) -> str | None:
    """Return a category path: levels joined by " > ", alternative paths by " | "."""
    if not isinstance(value, list):
        return _label(value, "category")
    paths = value if any(isinstance(one, list) for one in value) else [value]
    joined = ""
    for path in paths:
        text = _path(path)
        if text and len(joined) + len(text) + 3 <= MAX_LABEL:
            joined = f"{joined} | {text}" if joined else text
    return joined or None


def _path(value: object) -> str:
    levels = value if isinstance(value, list) else [value]
    # Some public data sets have markup among the levels.
    labels = [
        _label(one, "category") for one in levels if not (isinstance(one, str) and "<" in one)
    ]
    return " > ".join(label for label in labels if label)


def _price(value: object, reading: Reading) -> Decimal | None:
    try:
        return price_amount(value, reading.decimal)
    except BadRecordError:
        if reading.loose_prices:
            return None
        raise
