"""Mapping from flat environment variables to the fields of nested option records."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple, get_type_hints

from pydantic import BaseModel

from gpt4rec_es.options.gates import read_limits, write_limits
from gpt4rec_es.options.holdback import read_holdback, write_holdback
from gpt4rec_es.options.item_pictures import read_pictures, write_pictures

PREFIX = "GPT4REC_"
# Names that other tools use as well, so they have no prefix.
_WELL_KNOWN = (
    "database_url",
    "elasticsearch_url",
    "elasticsearch_api_key",
    "elasticsearch_user",
    "elasticsearch_password",
    "elasticsearch_ca_file",
    "elasticsearch_verify_tls",
    "celery_broker_url",
)
URLS = (
    "database_url",
    "owner_database_url",
    "analyst_database_url",
    "elasticsearch_url",
    "celery_broker_url",
)
SECRETS = ("elasticsearch_api_key", "elasticsearch_password", "endpoint_api_key")
# Variables of one server: if its URL is set, none of them is taken from the stack.
BELONG_TO = {
    "owner_database_url": "database_url",
    "analyst_database_url": "database_url",
    "elasticsearch_api_key": "elasticsearch_url",
    "elasticsearch_user": "elasticsearch_url",
    "elasticsearch_password": "elasticsearch_url",
    "elasticsearch_ca_file": "elasticsearch_url",
}
# Fields whose name is unclear outside their record.
_NAMED = {
    "night.rules.categories": "only_categories",
    "night.rules.shown_days": "not_shown_days",
}
# Fields without a variable: recipes are in the database, phrases in the file of another setting;
# the other beam search is for benchmarks.
_WITHOUT = {
    "night.recipe",
    "night.phrases",
    "night.max_outage_seconds",
    "generator.beam_search",
}

# Names of fields from the settings down.
Path = tuple[str, ...]


class Text(NamedTuple):
    """How a field that is no plain value is written as a variable."""

    read: Callable[[str], Any]
    write: Callable[[Any], str | None]


# By the name of the field.
TEXTS = {
    "categories": Text(
        lambda text: tuple(filter(None, map(str.strip, text.split("|")))),
        lambda categories: " | ".join(categories) or None,
    ),
    "gate_limits": Text(read_limits, write_limits),
    "holdback": Text(read_holdback, write_holdback),
    "reports_pictures": Text(read_pictures, write_pictures),
}


def variables_of(model: type[BaseModel]) -> dict[str, Path]:
    """Return the path of the field that each variable sets, in the order of the fields."""
    return {_variable(path): path for path in _leaves(model)}


def _leaves(record: Any, above: Path = ()) -> Iterator[Path]:
    types = get_type_hints(record)
    names = [one.name for one in fields(record)] if is_dataclass(record) else record.model_fields
    for name in names:
        path = (*above, name)
        if ".".join(path) in _WITHOUT:
            continue
        if is_dataclass(types[name]) and name not in TEXTS:
            yield from _leaves(types[name], path)
        else:
            yield path


def _variable(path: Path) -> str:
    name = _NAMED.get(".".join(path), path[-1])
    return name.upper() if name in _WELL_KNOWN else PREFIX + name.upper()


def value_at(record: Any, path: Path) -> Any:
    """Return the value of the field at ``path``."""
    for name in path:
        record = getattr(record, name)
    return record


def nested(values: Mapping[Path, Any]) -> dict[str, Any]:
    """Return ``values`` as one nested mapping."""
    tree: dict[str, Any] = {}
    for (*above, last), value in values.items():
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return tree
