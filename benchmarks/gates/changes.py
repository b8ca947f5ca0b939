"""What a defect is, and helpers that make one: of a generator, by SQL, or in the index.

In SQL, ``is_part(COLUMN)`` is true for a drawn fraction of 30 to 70 % of its values, and ``:run``
is the number of the night that is damaged. Statements are separated by semicolons.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from benchmarks.gates.fakes import Broken, Rewrite
from benchmarks.gates.nights import PRODUCT, QUERIES, World
from gpt4rec_es.db.rows.runs import Run

Change = Callable[[World, random.Random], None]
NEW_CATALOG = "UPDATE catalog_state SET catalog_version = catalog_version + 1"
# The "gate" of a defect that is refused before a night is planned.
NOT_STARTED = "not started"


@dataclass(frozen=True)
class Defect:
    """A defect. gates: those of which one must refuse the night. is_large: needs 1,200 users."""

    name: str
    gates: tuple[str, ...]
    change: Change
    is_large: bool = False


def generator(
    name: str, rewrite: Rewrite, logprob: float | None = None, *, alone: bool = False
) -> Change:
    """Let a broken generator write the queries; alone: by a recipe without other sources."""

    def change(world: World, _chance: random.Random) -> None:
        world.generator = Broken(name, rewrite, logprob)
        world.recipe = QUERIES if alone else PRODUCT

    return change


def hidden(name: str, rewrite: Rewrite) -> Change:
    """Let a broken generator write the queries, by the recipe of the nights before."""

    def change(world: World, _chance: random.Random) -> None:
        world.generator = Broken(name, rewrite)

    return change


def sql(statements: str) -> Change:
    """Change the data before the night."""

    def change(world: World, chance: random.Random) -> None:
        with world.engine.begin() as connection:
            _execute(connection, statements, part=chance.uniform(0.3, 0.7))

    return change


def damage(statements: str) -> Change:
    """Damage what a clean night stored, before it is checked again."""

    def change(world: World, chance: random.Random) -> None:
        part = chance.uniform(0.3, 0.7)

        def make(connection: Connection, run: Run) -> None:
            uncheck(connection, run)
            _execute(connection, statements, part=part, run=run.run_no)

        world.damage = make

    return change


def _execute(connection: Connection, statements: str, **values: object) -> None:
    part = r"abs(hashint4(\1)::bigint) % 1000 < 1000 * cast(:part AS float8)"
    for one in re.sub(r"is_part\((\S+?)\)", part, statements).split(";"):
        given = {name: value for name, value in values.items() if f":{name}" in one}
        connection.execute(text(one), given)


def uncheck(connection: Connection, run: Run) -> None:
    """Take the run back to before its check: the night before is published again."""
    values = {"run": run.run_no}
    connection.execute(
        text("UPDATE publications SET run_no = previous_run_no WHERE run_no = :run"), values
    )
    connection.execute(text("UPDATE runs SET state = 'checking' WHERE run_no = :run"), values)
    connection.execute(text("DELETE FROM daily_runs WHERE run_no = :run"), values)


def new_build(world: World, spoil: Callable[[str], None]) -> None:
    """Let the next night use a new build that ``spoil`` changes before planning, by its name."""
    elastic, alias = world.place.elastic, world.place.alias
    world.place.run(NEW_CATALOG)
    ensure = world.parts().ensure_index
    made: list[int] = []

    def spoilt(encoder: str | None) -> int:
        if not made:
            made.append(ensure(encoder))
            (index,) = elastic.indices.get_alias(name=alias).body
            spoil(index)
        return made[0]

    world.ensure_index = spoilt


def documents(script: str) -> Change:
    """Change the documents of the next night's build by a script, before it is planned."""

    def change(world: World, chance: random.Random) -> None:
        elastic, part = world.place.elastic, chance.uniform(0.3, 0.7)

        def spoil(index: str) -> None:
            elastic.indices.put_settings(index=index, settings={"index.blocks.write": None})
            source = {"source": script, "params": {"part": part}, "lang": "painless"}
            elastic.update_by_query(index=index, script=source, refresh=True)

        new_build(world, spoil)

    return change


def setting_of_index(settings: dict[str, object]) -> Change:
    """Change settings of the next night's build, which needs it closed."""

    def change(world: World, _chance: random.Random) -> None:
        elastic = world.place.elastic

        def spoil(index: str) -> None:
            elastic.indices.put_settings(index=index, settings=settings, reopen=True)
            elastic.cluster.health(index=index, wait_for_status="yellow")

        new_build(world, spoil)

    return change
