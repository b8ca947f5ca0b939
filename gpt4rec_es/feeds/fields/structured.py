"""Brands, categories and descriptions that came as structured values, or as text that holds one.

Tables made from nested records hold JSON, Python literals or arrays as text. A brand that cannot be
read from it is unknown: no brand is better than a wrong one.
"""

import json
import re

from gpt4rec_es.feeds.batches import BadRecordError
from gpt4rec_es.feeds.literals import parse_literal

_BRAND_KEYS = ("brand", "brand name", "brand_name")
# A brand as an object of its own, as in JSON-LD.
_NAME_KEYS = ("name", "label", "title", "value")
# An array as numpy prints it: without commas; inner ones with their type.
_ARRAY_TOKEN = re.compile(
    r"\s*(?:(?P<open>\[|array\(\s*\[|list\(\s*\[)|(?P<close>\](?:\s*,\s*dtype=\w+\s*)?\)?)"
    r"|(?P<text>'[^'\\\n]*(?:\\.[^'\\\n]*)*'|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\")|,)"
)
# What begins like an object or a list of texts, whole or cut off, is no text; [Unbranded] is one.
_BROKEN = re.compile(r"\s*(?:\{|\[\s*['\"{\[\]])")
_MAX_TEXT = 1_000_000
_MAX_DEPTH = 8


class ObjectColumn(str):
    """Name of a column that holds objects: other text in it has no meaning."""

    __slots__ = ()


def column_value(name: str, value: object) -> object:
    """Return a value of the column ``name``: of an ``ObjectColumn`` only what is structured."""
    if isinstance(name, ObjectColumn) and isinstance(value, str):
        return structure_in(value)
    return value


def title_of(value: object) -> object:
    """Return a title; of text that holds an object or a list of texts, the only text in it."""
    if not isinstance(value, str) or not _BROKEN.match(value):
        return value
    found = structure_in(value)
    if found is None:
        return value
    texts = [*found.values()] if isinstance(found, dict) else found
    return texts[0] if isinstance(texts, list) and len(texts) == 1 else None


def structure_in(text: str) -> object:
    """Return the list or dict that ``text`` holds, or None if it holds none.

    Read are JSON, Python literals and printed numpy arrays of texts.
    """
    stripped = text.strip()
    if len(stripped) > _MAX_TEXT or (stripped[:1], stripped[-1:]) not in (("{", "}"), ("[", "]")):
        return None
    try:
        value: object = json.loads(stripped)
    except (ValueError, RecursionError):
        try:
            value = parse_literal(stripped)
        except BadRecordError:
            return _array(stripped)
    return value if isinstance(value, list | dict) else None


def brand_of(value: object) -> object:
    """Return the brand in ``value``: text as it is, the brand of an object, or None."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        if value.lstrip()[:1] not in ("{", "["):
            return value
        found = structure_in(value)
        if found is None:
            return None if _BROKEN.match(value) else value
        value = found
        if isinstance(value, list) and len(value) != 1:
            return None
    if isinstance(value, list) and len(value) == 1:
        return brand_of(value[0])
    return _brand_in(value) if isinstance(value, dict) else value


def levels_of(value: object) -> object:
    """Return a category as a text, or as the list that it or its text holds."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        found = structure_in(value)
        if found is None:
            return None if _BROKEN.match(value) else value
        value = _named(found) if isinstance(found, dict) else found
    if isinstance(value, dict):
        return _named(value) or value
    if isinstance(value, list):
        return [levels_of(one) for one in value]
    return value


def paragraphs_of(value: object) -> object:
    """Return a description: text as it is, or the texts of a list, one after the other.

    An object has none, nor has text that begins like a list and cannot be read.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        found = structure_in(value)
        if found is None:
            return None if _BROKEN.match(value) else value
        value = found
    if isinstance(value, list):
        return "\n".join(one for one in value if isinstance(one, str))
    return None if isinstance(value, dict) else value


def _brand_in(found: dict[str, object]) -> object:
    lower = {key.strip().lower(): one for key, one in found.items()}
    for key in _BRAND_KEYS:
        if lower.get(key):
            return brand_of(lower[key])
    is_brand = str(lower.get("@type", "")).lower() in ("brand", "organization")
    return _named(found) if is_brand or (len(lower) <= 4 and "id" in lower) else None


def _named(found: dict[str, object]) -> object:
    lower = {key.strip().lower(): one for key, one in found.items()}
    return next((lower[key] for key in _NAME_KEYS if isinstance(lower.get(key), str)), None)


def _array(text: str) -> list[object] | None:
    """Return the nested lists of texts that numpy printed, or None."""
    top: list[object] = []
    stack: list[list[object]] = [top]
    at = 0
    while at < len(text):
        found = _ARRAY_TOKEN.match(text, at)
        if found is None:
            return None
        at = found.end()
        if found["open"]:
            inner: list[object] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif found["close"]:
            stack.pop()
        elif found["text"]:
            stack[-1].append(found["text"][1:-1].replace("\\'", "'").replace('\\"', '"'))
        if not stack or len(stack) > _MAX_DEPTH:
            return None
    return top[0] if len(stack) == 1 and len(top) == 1 and isinstance(top[0], list) else None
