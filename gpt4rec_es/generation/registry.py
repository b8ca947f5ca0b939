"""Register query generators and choose the one that nights use.

A row refers to a folder that may have changed, so the folder is checked before it is used.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.generation.card import read_card
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.protocols import QueryGenerator

Opened = TypeVar("Opened", bound=QueryGenerator)


def list_generators(engine: Engine) -> list[Generator]:
    """Return all registered generators, the oldest first."""
    with transaction(engine) as connection:
        return generators.load_all(connection)


def add_generator(
    engine: Engine, name: str, folder: Path | None, *, dry_run: bool = False
) -> Generator | None:
    """Register a checkpoint ``folder`` (None: the generator without a model) and return its row.

    Returns None after a dry run without an error.

    Raises:
        UsageError: the folder is no valid checkpoint, or the name is taken.
    """
    kind = "titles" if folder is None else "gpt2"
    path = None if folder is None else str(folder.resolve())
    content_hash = open_generator(kind, path).content_hash
    card = {} if folder is None else read_card(folder)
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
            f"The files of generator {row.name!r} changed since it was registered.",
            "Put them back, or register them under another name.",
        )
    return opened


def use_generator(engine: Engine, name: str, *, actor: str, dry_run: bool = False) -> Generator:
    """Make ``name`` the generator of the next night and return it.

    Raises:
        UsageError: there is no such generator, or its folder is missing or changed.
    """
    with transaction(engine) as connection:
        wanted = generators.get(connection, name)
    if open_generator(wanted.kind, wanted.path).content_hash != wanted.content_hash:
        raise UsageError(
            f"The files of generator {name!r} changed since it was registered.",
            f"Put them back, or register {wanted.path} under another name.",
        )
    if dry_run:
        return wanted
    with transaction(engine) as connection:
        return generators.use(connection, name, actor=actor)
