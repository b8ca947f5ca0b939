"""Reads the document of a recipe; every fault is one error that names its place.

A document must have each section, and in ``fusion`` the weights. Within a section, a missing entry
has the default of its record, so that documents of older code can be read: a new entry's default
never changes lists. The entries ``reranker`` and ``encoder`` may be absent.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.lists import Fusion, QueryFilters, SearchOptions
from gpt4rec_es.options.recipe import FORMAT, Recipe
from gpt4rec_es.records import Decoding

_SECTIONS: dict[str, type] = {
    "decoding": Decoding,
    "filters": QueryFilters,
    "search": SearchOptions,
    "fusion": Fusion,
}
_ENTRIES = ("format", "prompt_titles", *_SECTIONS)
_OPTIONAL = ("reranker", "encoder")
# Fields of records that no document holds: a file of the installation, and what other entries say.
_HIDDEN = {QueryFilters: {"phrases"}, SearchOptions: {"encoder"}}
_SEE = "docs/recipes.md describes the document; `gpt4rec recipes export default` writes one."

Record = TypeVar("Record")
# Characters of a wrong value that an error shows.
_MOST_SHOWN = 60


def read_document(document: Any, name: str = "The recipe") -> Recipe:
    """Return the recipe of a ``document`` (JSON values); ``name`` begins the errors.

    Raises:
        UsageError: an entry is unknown, missing, of a wrong type or out of range, the sources
            cannot be fused, or a newer version of this program wrote the document.
    """
    if not isinstance(document, dict):
        raise UsageError(f"{name} is no JSON object.", _SEE)
    _require_format(document, name)
    _require_names(document, (*_ENTRIES, *_OPTIONAL), name)
    if missing := [entry for entry in _ENTRIES if entry not in document]:
        raise UsageError(f"{name} has no {missing[0]}.", _SEE)
    titles = _checked(Recipe, "prompt_titles", document["prompt_titles"], f"{name}: prompt_titles")
    parts = {section: _section(section, document[section], name) for section in _SECTIONS}
    named = {
        entry: _checked(Recipe, entry, document.get(entry), f"{name}: {entry}")
        for entry in _OPTIONAL
    }
    return _built(lambda: Recipe(prompt_titles=titles, **named, **parts), name)


def parse_document(text: str, name: str) -> Recipe:
    """Return the recipe of a JSON ``text``; raises as ``read_document`` does, also for no JSON."""
    try:
        document = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_once)
    except ValueError as error:
        raise UsageError(f"{name} is no JSON: {error}.", _SEE) from None
    except RecursionError:
        raise UsageError(f"{name} is nested too deeply.", _SEE) from None
    return read_document(document, name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(one for one in names if names.count(one) > 1)
        raise ValueError(f"{twice!r} is there twice")
    return found


def _require_format(document: Mapping[str, Any], name: str) -> None:
    found = document.get("format")
    if type(found) is not int or found < 1:
        raise UsageError(f"{name} has no format.", f"Its entry format is {FORMAT}. {_SEE}")
    if found > FORMAT:
        raise UsageError(
            f"{name} has format {found}; this version knows formats up to {FORMAT}.",
            "Upgrade gpt4rec-es, or export the recipe with this version.",
        )


def _section(section: str, given: Any, name: str) -> Any:
    record = _SECTIONS[section]
    place = f"{name}: {section}"
    if not isinstance(given, dict):
        raise UsageError(f"{place} is no JSON object.", _SEE)
    values = _entries(record, given, place)
    if record is SearchOptions:
        return _built(lambda: SearchOptions.from_dict(values), place)
    if record is not Fusion:
        return _built(lambda: record(**values), place)
    if "weights" not in given:
        raise UsageError(f"{place} has no weights.", _SEE)
    # An absent entry of pairs must not mean the cosine, as in manifests of older runs.
    default = Fusion().as_dict()
    pairs = {**default["pairs"], **values.get("pairs", {})}
    return _built(lambda: Fusion.from_dict({**default, **values, "pairs": pairs}), place)


def _entries(record: type, given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the entries of a section, each with its type and range checked."""
    names = [one.name for one in fields(record) if one.name not in _HIDDEN.get(record, ())]
    _require_names(given, names, place)
    hints = get_type_hints(record)
    values: dict[str, Any] = {}
    for entry, value in given.items():
        where = f"{place}.{entry}"
        if is_dataclass(hints[entry]) and isinstance(value, dict):
            values[entry] = _entries(hints[entry], value, where)
        elif entry in {"coefficients", "fields"}:
            values[entry] = _numbers(value, where)
        else:
            _checked(record, entry, value, where)
            values[entry] = value
    return values


def _numbers(value: Any, place: str) -> dict[str, float]:
    """Return numbers by feature or field; the records check names and ranges."""
    if not isinstance(value, dict):
        raise UsageError(f"{place} is {_shortened(value)}: it should be an object.", _SEE)
    for name, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise UsageError(f"{place}.{name} is {_shortened(number)}: a number is needed.", _SEE)
    return value


def _shortened(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _require_names(given: Mapping[str, Any], known: Any, place: str) -> None:
    if unknown := [entry for entry in given if entry not in known]:
        raise UsageError(
            f"{place} has an unknown entry {unknown[0]!r}.", f"Known: {', '.join(known)}."
        )


def _checked(record: type, entry: str, value: Any, place: str) -> Any:
    hint = get_type_hints(record, include_extras=True)[entry]
    try:
        return TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        allowed = error.errors(include_url=False)[0]["msg"].replace("Input should", "it should")
        raise UsageError(f"{place} is {_shortened(value)}: {allowed}.", _SEE) from None


def _built(build: Callable[[], Record], place: str) -> Record:
    """Return what ``build`` makes; its own checks raise errors that name the place."""
    try:
        return build()
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}", error.hint) from None
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise UsageError(f"{place} cannot be read: {error}.", _SEE) from None
