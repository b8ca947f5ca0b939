"""Print the matrix of defects and gates, and how far clean nights stay from the limits.

Every defect runs on a copy of a shop with four published nights. Where one gate refuses it, this
gate is switched off and the night is published: a defect that passes is one that only it knows.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.gates import shops
from benchmarks.gates.changes import NOT_STARTED, Defect
from benchmarks.gates.defects import DEFECTS
from benchmarks.gates.fakes import good_generator
from benchmarks.gates.invented import INVENTED
from benchmarks.gates.margins import Margins
from benchmarks.gates.nights import QUERIES, World, copied, live_index
from benchmarks.gates.shops import ShopData
from benchmarks.place import Place, scratch
from gpt4rec_es.errors import UsageError
from gpt4rec_es.gc_freeze import freeze_gc
from gpt4rec_es.night.publish.gates import GATES, Examination
from gpt4rec_es.options.gates import GateLimits

# Nights published before a defect: with four, the median of earlier nights is compared.
_BEFORE = 4
_SMALL, _LARGE = 400, 1200


@dataclass(frozen=True)
class Outcome:
    """What became of a defect: the gates that refused it.

    without: where it was one gate, those that refused the night while it was switched off; None: it
    was none, or several.
    """

    defect: Defect
    refused: frozenset[str]
    without: frozenset[str] | None

    @property
    def is_caught(self) -> bool:
        """Whether one of the gates that name it refused it."""
        return not self.refused.isdisjoint(self.defect.gates)


@contextmanager
def published(data: ShopData, *, is_large: bool, chance: random.Random) -> Iterator[World]:
    """Yield a shop with published nights, in a scratch database."""
    with scratch() as place:
        shops.fill(place, data)
        world = World(place, day=0)
        if is_large:  # the generator decides its lists, and its sample is large enough to refuse
            world.recipe, world.limits = QUERIES, GateLimits(held_out_share=1.0)
            world.generator = good_generator()
        for day in range(_BEFORE):
            if refused := clean_night(world, data, day, chance).refused:
                message = f"A clean night is refused: {refused}."
                raise AssertionError(message)
        yield world


def clean_night(world: World, data: ShopData, day: int, chance: random.Random) -> Examination:
    """Add the day's purchases and run its night."""
    world.day = day
    rows = shops.next_purchases(data, chance)
    shops.buy(world.place, rows, version=day + 2)
    return world.run()


def run_defects(
    defects: Sequence[Defect], seed: int, data: ShopData, *, is_large: bool
) -> Iterator[Outcome]:
    """Yield the outcome of each defect on a copy of one shop."""
    chosen = [defect for defect in defects if defect.is_large == is_large]
    if not chosen:
        return
    chance = random.Random(seed)
    with published(data, is_large=is_large, chance=chance) as world:
        index = live_index(world.place)
        for defect in chosen:
            with copied(world.place, index) as place:
                yield _try(defect, data, World(**{**vars(world), "place": place}), seed)


def _try(defect: Defect, data: ShopData, world: World, seed: int) -> Outcome:
    chance = random.Random(f"{seed} {defect.name}")
    world.day = _BEFORE
    shops.buy(world.place, shops.next_purchases(data, chance), version=_BEFORE + 2)
    without = None
    try:
        defect.change(world, chance)
        refused = frozenset(result.gate for result in world.run().refused)
    except UsageError:  # as files that cannot be opened
        refused = frozenset({NOT_STARTED})
    else:
        if len(refused) == 1:
            without = world.publish_without(next(iter(refused)))
    outcome = Outcome(defect, refused, without)
    mark = "caught" if outcome.is_caught else "MISSED"
    then = "" if without is None else f"; without it {_said(without)}"
    click.echo(f"{mark}: {defect.name}: {_said(refused)}{then}", err=True)
    return outcome


def _said(refused: Iterable[str]) -> str:
    return ", ".join(sorted(refused)) or "published"


def run_clean(make: Callable[[random.Random], ShopData], nights: int, seed: int) -> Margins:
    """Run clean nights of a shop and return their margins; half-way another recipe is used."""
    chance = random.Random(seed)
    data = make(chance)
    margins = Margins(data.name)
    with scratch() as place:
        shops.fill(place, data)
        world = World(place, day=0, limits=GateLimits(held_out_share=1.0))
        for day in range(nights):
            if day and day % 3 == 0:
                _import_items(place, chance)
            if day == nights // 2:
                world.recipe = QUERIES
            found = clean_night(world, data, day, chance)
            margins.add(found, world.seconds)
    return margins


def _import_items(place: Place, chance: random.Random) -> None:
    """Change the catalog as a feed does: 2 % new prices, 1 % inactive items, 10 new ones."""
    place.run(
        "UPDATE items SET price = price * 1.1 WHERE item_no % 50 = :n", n=chance.randrange(50)
    )
    place.run(
        "UPDATE items SET is_active = false WHERE item_no % 100 = :n", n=chance.randrange(100)
    )
    place.run(
        "INSERT INTO items (item_id, title, title_raw, price, version) "
        "SELECT item_id || 'x', title || ' set', title || ' set', price, version FROM items "
        "WHERE title IS NOT NULL AND item_id NOT LIKE '%x' ORDER BY random() LIMIT 10 "
        "ON CONFLICT DO NOTHING"
    )
    place.run("UPDATE catalog_state SET catalog_version = catalog_version + 1")


def print_matrix(outcomes: Sequence[Outcome]) -> int:
    """Print which gates refused each defect, and what passes without a gate; return the missed."""
    click.echo("\n| defect | refused by | caught |\n|---|---|---|")
    for one in outcomes:
        caught = "yes" if one.is_caught else "NO"
        click.echo(f"| {one.defect.name} | {_said(one.refused)} | {caught} |")
    n_caught = sum(one.is_caught for one in outcomes)
    click.echo(f"\n{n_caught} of {len(outcomes)} defects are caught by a gate that names them.")
    click.echo(
        "\n| gate | defects refused | of these published while it is switched off | refused then |"
        "\n|---|---|---|---|"
    )
    for gate in GATES:
        own = [one for one in outcomes if gate.name in one.refused]
        passed = [one.defect.name for one in own if one.without == frozenset()]
        others = [f"{one.defect.name} ({_said(one.without)})" for one in own if one.without]
        texts = (", ".join(names) or "none" for names in (passed, others))
        click.echo(f"| {gate.name} | {len(own)} | {' | '.join(texts)} |")
    return len(outcomes) - n_caught


def needless(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the gates without which no defect is published: others refuse all of theirs."""
    needed = {gate for one in outcomes if one.without == frozenset() for gate in one.refused}
    return [gate.name for gate in GATES if gate.name not in needed]


@click.command()
@click.option("--seed", default=1, help="Seed of shops and defects.")
@click.option("--nights", default=10, help="Clean nights per data set.")
@click.option("--folder", type=click.Path(path_type=Path), default=shops.SAMPLE)
@click.option("--defect", "names", multiple=True, help="Only defects with this in their name.")
@click.option("--invented", is_flag=True, help="The defects invented after gates were frozen.")
@click.option("--clean/--no-clean", default=True, help="Run clean nights as well.")
def main(
    seed: int, nights: int, folder: Path, names: tuple[str, ...], invented: bool, clean: bool
) -> None:
    """Try defects and clean nights; exit with 1 if a defect passes, or a clean night does not.

    Also if no defect passes while some gate is switched off.
    """
    freeze_gc()
    started, failed = time.monotonic(), 0
    defects = [
        defect
        for defect in (INVENTED if invented else DEFECTS)
        if not names or any(name in defect.name for name in names)
    ]
    outcomes: list[Outcome] = []
    for is_large, users in ((False, _SMALL), (True, _LARGE)):
        data = shops.styles(users, random.Random(seed))
        outcomes += run_defects(defects, seed, data, is_large=is_large)
    failed += print_matrix(outcomes)
    if not names and not invented:
        for gate in needless(outcomes):
            click.echo(f"No defect passes while {gate} is switched off.")
            failed += 1
    if clean:
        makes = (
            lambda chance: shops.styles(_SMALL, chance),
            lambda chance: shops.skewed(_SMALL, chance),
            lambda chance: shops.of_folder(folder, _SMALL, chance),
        )
        for make in makes:
            margins = run_clean(make, nights, seed)
            margins.show()
            failed += len(margins.refused)
    click.echo(f"\n{time.monotonic() - started:.0f} s")
    raise SystemExit(min(failed, 1))


if __name__ == "__main__":
    main()
