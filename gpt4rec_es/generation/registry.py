"""Register query generators and choose the one that nights use.

A row refers to a folder that may have changed, so the folder is checked before it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.encoders.architectures import ARCHITECTURES
from gpt4rec_es.encoders.folder import read_config
from gpt4rec_es.encoders.weights import count_parameters
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.generation.card import read_card, read_licence
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.protocols import QueryGenerator

if TYPE_CHECKING:  # its client is not needed for other kinds
    from gpt4rec_es.generation.endpoint import Endpoint

_SHOWN_QUERIES = 5
# Of the card of a training.
_FIGURES = (
    "validation_loss",
    "nats_per_title",
    "popularity_nats",
    "device",
    "precision",
    "seconds",
)
Opened = TypeVar("Opened", bound=QueryGenerator)


def list_generators(engine: Engine) -> list[Generator]:
    """Return all registered generators, the oldest first."""
    with transaction(engine) as connection:
        return generators.load_all(connection)


@dataclass(frozen=True, slots=True)
class GeneratorCard:
    """What is known of a registered generator.

    network, training: figures by name; empty for the one without a model. licence: as the README
    of its folder says; None: it says none, or the folder is gone. queries: some that it wrote.
    cost: seconds and tokens per 1,000 prompts in the newest night that it wrote for; or empty.
    """

    generator: Generator
    network: dict[str, Any]
    training: dict[str, Any]
    licence: str | None
    queries: list[str]
    cost: dict[str, float]


def show_generator(engine: Engine, name: str) -> GeneratorCard:
    """Return the card of the generator ``name``.

    Raises:
        UsageError: there is none.
    """
    with transaction(engine) as connection:
        row = generators.get(connection, name)
        queries = generators.newest_queries(connection, row.content_hash, _SHOWN_QUERIES)
        spent = generators.newest_cost(connection, row.generator_no)
    network: dict[str, Any] = {}
    licence = None
    card = row.card
    if (folder := row.folder) is not None and folder.is_dir():
        config = read_config(folder)
        kept = ("model_type", "vocab_size", *ARCHITECTURES[config["model_type"]][1:2])
        network = {entry: config[entry] for entry in kept if entry in config}
        network["parameters"] = card.get("parameters") or count_parameters(folder)
        licence = read_licence(folder)
    training = dict(card.get("data", {}))
    training |= {entry: card[entry] for entry in _FIGURES if card.get(entry) is not None}
    cost = {
        f"{name}_per_1000_prompts": round(1000 * spent[name] / spent["prompts"], 1)
        for name in ("seconds", "tokens")
        if spent
    }
    return GeneratorCard(row, network, training, licence, queries, cost)


def add_generator(
    engine: Engine,
    name: str,
    source: "Path | Endpoint | None",
    *,
    api_key: str | None = None,
    dry_run: bool = False,
) -> Generator | None:
    """Register a checkpoint folder, an endpoint, or None: the generator without a model.

    Returns its row; None after a dry run without an error.

    Raises:
        UsageError: the folder is no valid checkpoint, or the name is taken.
        DependencyError: the endpoint does not answer.
    """
    card: dict[str, Any] = {}
    if source is None:
        kind, path = "titles", None
    elif isinstance(source, Path):
        kind, path, card = "gpt2", str(source.resolve()), read_card(source)
    else:
        kind, path = "endpoint", source.address
    content_hash = open_generator(kind, path, api_key=api_key).content_hash
    with transaction(engine) as connection:
        if dry_run:
            generators.require_free(connection, name, content_hash)
            return None
        return generators.register(
            connection, name=name, kind=kind, path=path, content_hash=content_hash, card=card
        )


def opened_unchanged(row: Generator, open_it: Callable[[Generator], Opened]) -> Opened:
    """Return the generator of ``row``, opened by ``open_it``, if its files are unchanged.

    Raises:
        ConflictError: its files changed.
        UsageError: its folder is no valid checkpoint.
    """
    opened = open_it(row)
    if opened.content_hash != row.content_hash:
        raise ConflictError(
            row.changed,
            "Put that back, or register what there is now under another name.",
        )
    return opened


def use_generator(
    engine: Engine,
    name: str,
    *,
    actor: str,
    api_key: str | None = None,
    dry_run: bool = False,
) -> Generator:
    """Make ``name`` the generator of the next night and return it.

    Raises:
        UsageError: there is no such generator, or its folder is missing or changed.
    """
    with transaction(engine) as connection:
        wanted = generators.get(connection, name)
    opened = open_generator(wanted.kind, wanted.path, api_key=api_key)
    if opened.content_hash != wanted.content_hash:
        raise UsageError(
            wanted.changed,
            f"Put that back, or register {wanted.path} under another name.",
        )
    if dry_run:
        return wanted
    with transaction(engine) as connection:
        return generators.use(connection, name, actor=actor)
