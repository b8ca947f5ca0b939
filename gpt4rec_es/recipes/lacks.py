"""What the networks of a recipe lack: that they are registered, here, and can do what it asks."""

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from gpt4rec_es.db.rows import encoders, generators, rerankers
from gpt4rec_es.options.recipe import NamedRecipe


class Lack(NamedTuple):
    """What is missing, and what to do about it: two texts for operators."""

    what: str
    way_out: str


def lacks(connection: Connection, chosen: NamedRecipe) -> list[Lack]:
    """Return why no night here could use the networks that a recipe needs."""
    found = (
        generator_lack(chosen, generators.current(connection)),
        reranker_lack(connection, chosen),
        encoder_lack(connection, chosen),
    )
    return [lack for lack in found if lack is not None]


def generator_lack(chosen: NamedRecipe, current: generators.Generator | None) -> Lack | None:
    """Return why a generator cannot choose titles as a recipe asks; None: it can, or need not."""
    recipe = chosen.recipe
    if not recipe.writes_queries or recipe.decoding.mode != "titles":
        return None
    if current is None or current.kind == "gpt2":
        return None
    return Lack(
        f"Recipe {chosen.name} chooses queries among titles (decoding.mode), which generator "
        f"{current.name} of kind {current.kind} cannot do.",
        "Use a recipe with decoding.mode free, or a trained generator.",
    )


def encoder_lack(connection: Connection, chosen: NamedRecipe) -> Lack | None:
    """Return why no night here could open the encoder that a recipe names; None: nothing."""
    name = chosen.recipe.encoder
    if name is None:
        return None
    row = encoders.find(connection, name)
    again = f"`gpt4rec encoders add {name}` with the option that says where its files are"
    if row is None:
        return Lack(
            f"Recipe {chosen.name} names the encoder {name}, which is not registered.",
            f"Register it: {again}, or use another recipe.",
        )
    if row.path is not None and not Path(row.path).exists():
        return Lack(
            f"The files of encoder {name} are gone: {row.path}.",
            f"Put them back, or say where they are: {again}.",
        )
    if row.kind == "reranker" and row.source is not None:
        return _network_lack(connection, row.source, f"Encoder {name} is made of")
    return None


def reranker_lack(connection: Connection, chosen: NamedRecipe) -> Lack | None:
    """Return why no night here could open the re-ranker that a recipe names.

    None: nothing is missing, or it names none. Nights also compare its content when they open it.
    """
    name = chosen.recipe.reranker
    if name is None:
        return None
    return _network_lack(connection, name, f"Recipe {chosen.name} names")


def _network_lack(connection: Connection, name: str, named: str) -> Lack | None:
    row = rerankers.find(connection, name)
    again = f"`gpt4rec rerankers add {name} --folder FOLDER`"
    if row is None:
        return Lack(
            f"{named} the re-ranker {name}, which is not registered.",
            f"Register it: {again}, or use another recipe.",
        )
    if not Path(row.path).is_dir():
        return Lack(
            f"The folder of re-ranker {name} is gone: {row.path}.",
            f"Put it back, or say where it is: {again}.",
        )
    if row.gpt2 and Path(row.gpt2).is_absolute() and not Path(row.gpt2).is_dir():
        return Lack(
            f"The GPT-2 that reads metadata for re-ranker {name} is gone: {row.gpt2}.",
            f"Put it back, or say where it is: {again} --gpt2 FOLDER.",
        )
    return None
