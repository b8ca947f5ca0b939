"""Catalog items from records of any shape: which fields a record has, and their clean values.

A missing field differs from an empty one, so that a feed without brands does not delete stored
brands.
"""

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import ftfy

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Batch, Micros, Reject, excerpt, shown
from gpt4rec_es.feeds.values import external_id, flag, price_amount, utf8

# Invisible characters: direction marks, word joiners, tags, soft hyphens. Zero-width (non-)joiners
# U+200C and U+200D stay, because Persian and some emojis need them.
_INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff\U000e0000-\U000e0fff]"
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
# Sequences to a terminal: CSI (colours, cursor), OSC (window titles), and single-letter ones.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[@-Z\\-_]"
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Representations of "no value" in exports of data frames and databases.
_NO_VALUE = {"nan", "null", "none", "n/a", "#n/a", "undefined"}
_FIXES = ftfy.TextFixerConfig(explain=False, unescape_html=True)
# Text that was escaped n times needs n passes; exports escape at most twice.
_PASSES = 8


def clean_title(raw: str) -> str | None:
    """Return ``raw`` cleaned, or None if no usable title is left.

    Unescapes HTML entities (only those that end in ``;``), repairs mojibake, straightens quotes,
    removes terminal sequences, control and invisible characters, collapses white space; the result
    is NFC and cleaning it again changes nothing. None is returned for a text without any letter or
    digit, and for representations of "no value" such as ``nan``.
    """
    if raw.isascii() and raw.isprintable() and "&" not in raw:
        text = " ".join(raw.split())
    else:
        text = _repair(raw)
    if text.lower() in _NO_VALUE or not any(map(str.isalnum, text)):
        return None
    return text


def storable(raw: str) -> str:
    """Return ``raw`` with characters that Postgres cannot store replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", raw)


def _repair(text: str) -> str:
    for _ in range(_PASSES):
        before = text
        text = _TERMINAL.sub("", text)
        text = ftfy.fix_text(text, _FIXES)
        text = _UNSTORABLE.sub("", _CONTROL.sub("", _INVISIBLE.sub("", text)))
        text = unicodedata.normalize("NFC", " ".join(text.split()))
        if text == before:
            break
    return text


MAX_TITLE = 10_000
# Brand and category become keywords of the index, whose terms may have 32,766 bytes.
MAX_LABEL = 2000
# Bits of Item.given.
TITLE, BRAND, CATEGORY, PRICE = 1, 2, 4, 8

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


class ItemBatch(NamedTuple):
    """Items of one batch, rejects, and the ids of rejected records with a valid id."""

    items: list[Item]
    rejects: list[Reject]
    rejected_ids: list[str]


def read_items(batch: Batch, path: str, loose_prices: bool = False) -> ItemBatch:
    """Return the items in ``batch``, and rejects for invalid records.

    Records hold the fields of ``shapes.ITEM_FIELDS``. An item without usable title is not rejected:
    it belongs to the catalog. With ``loose_prices`` an invalid price counts as unknown.
    """
    result = ItemBatch([], list(batch.rejects), [])
    for line, raw, record in zip(batch.lines, batch.raws, batch.values, strict=True):
        item_id = None
        try:
            item_id = external_id(record[0], "item id")
            result.items.append(_convert(item_id, record, loose_prices))
        except BadRecordError as error:
            result.rejects.append(Reject(path, line, error.code, error.reason, excerpt(raw)))
            if item_id is not None:
                result.rejected_ids.append(item_id)
    return result


def _convert(item_id: str, record: Sequence[object], loose_prices: bool) -> Item:
    _, title, brand, category, price, active = record
    given = 0
    for bit, value in ((TITLE, title), (BRAND, brand), (CATEGORY, category), (PRICE, price)):
        if value is not ABSENT:
            given |= bit
    raw = _text(title, "title", MAX_TITLE)
    return Item(
        item_id,
        clean_title(raw) if raw else None,
        storable(raw) if raw else None,
        _label(brand.get("Brand") if isinstance(brand, dict) else brand, "brand"),
        _category(category),
        _price(price, loose_prices),
        flag(active),
        given,
    )


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
    levels = [_label(one, "category") for one in (value if isinstance(value, list) else [value])]
    # Some public data sets have markup among the levels.
    return " > ".join(level for level in levels if level and "<" not in level)


def _price(value: object, is_loose: bool) -> Decimal | None:
    try:
        return price_amount(value)
    except BadRecordError:
        if is_loose:
            return None
        raise
