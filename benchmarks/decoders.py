"""The same night with queries of several generators: what each costs, and what its lists find.

    python -m benchmarks.decoders [--users N] NAME=FOLDER NAME=URL,MODEL,PID ...

A generator is a checkpoint, or a model that a completions server on this machine runs as process
PID, whose processor time counts. Each serves all customers of a data folder in a scratch database,
by the shipped recipe, after a night whose queries are newest titles. Held-out baskets judge lists.
"""

import argparse
import csv
import datetime as dt
import gzip
import os
import random
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.place import Place, scratch
from benchmarks.processor import seconds_of
from gpt4rec_es.catalog.import_interactions import import_interactions
from gpt4rec_es.catalog.import_items import import_items
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.generators import newest_cost
from gpt4rec_es.errors import GateError
from gpt4rec_es.generation.endpoint import Endpoint
from gpt4rec_es.generation.registry import add_generator, use_generator
from gpt4rec_es.lab.evaluation.hit_rates import HitRate, hit_rates
from gpt4rec_es.lab.splits.held_out import read_held_out
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.resources import resource_path
from gpt4rec_es.runtime import Runtime

_FIRST = dt.date(2026, 1, 1)
_SAMPLE = "online-retail-ii-sample"
# Lists of all are wanted, also of a generator that the first users would warn of.
_LIMITS = "canary_share=0"
# Tokens of two letters; those of a catalog have four, and a tiny model reads 256 of them.
_CONTEXT = 512

Held = Mapping[str, Collection[str]]


def main(arguments: Sequence[str]) -> None:
    """Print a row for each generator."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoders", description=__doc__)
    parser.add_argument("generators", nargs="+", metavar="NAME=SOURCE")
    parser.add_argument("--data", type=Path, default=resource_path("data") / _SAMPLE)
    parser.add_argument("--users", type=int, help="customers of the shop; default: all")
    asked = parser.parse_args(arguments)
    held: Held = read_held_out(asked.data / "held_out.csv.gz")
    if asked.users:
        chosen = random.Random(1).sample(sorted(held), min(asked.users, len(held)))
        held = {user: held[user] for user in chosen}
    with scratch() as place:
        runtime = _runtime(place)
        _import(runtime, asked.data, held if asked.users else None)
        print(
            "| generator | prompts | CPU-s per 1,000 | tokens written per 1,000 | night, s, state "
            "| queries alone: hit rate@10, recall@10 | product: hit rate@10, recall@10 |"
        )
        print("|---|---|---|---|---|---|---|")
        for day, text in enumerate(["titles=", *asked.generators]):
            name, _, source = text.partition("=")
            print(_row(runtime, name, source, _FIRST + dt.timedelta(days=day), held), flush=True)
        runtime.close()


def _runtime(place: Place) -> Runtime:
    own = {
        "DATABASE_URL": place.url,
        "ELASTICSEARCH_URL": place.elasticsearch_url,
        "GPT4REC_INDEX_ALIAS": place.alias,
        "GPT4REC_GATE_LIMITS": _LIMITS,
        "GPT4REC_THREADS": "1",
    }
    return Runtime.from_environment({**os.environ, **own}, env_file=None)


def _import(runtime: Runtime, data: Path, users: Held | None) -> None:
    """Import the folder; users: those whose purchases are, None: all."""
    import_items(runtime.engine, [data / "items.csv.gz"], actor="bench")
    bought = data / "interactions.csv.gz"
    with tempfile.TemporaryDirectory() as folder:
        if users is not None:
            own = Path(folder) / "interactions.csv"
            with gzip.open(bought, "rt", encoding="utf-8", newline="") as file:
                _write(own, csv.reader(file), users)
            bought = own
        import_interactions(runtime.engine, [bought], actor="bench")


def _write(path: Path, rows: Iterable[list[str]], users: Collection[str]) -> None:
    header, *others = rows
    at = header.index("user_id")
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *(row for row in others if row[at] in users)])


def _row(runtime: Runtime, name: str, source: str, date: dt.date, held: Held) -> str:
    """Run the night of a generator and return its row of the table."""
    url, _, rest = source.partition(",")
    model, _, pid = rest.partition(",")
    served = Endpoint(url, model, context=_CONTEXT) if rest else None
    key = runtime.settings.endpoint_api_key
    engine = runtime.engine
    row = add_generator(engine, name, served or (Path(source) if source else None), api_key=key)
    use_generator(engine, name, actor="bench", api_key=key)
    processes = [os.getpid(), *([int(pid)] if pid else [])]
    began, before = time.monotonic(), sum(map(seconds_of, processes))
    with suppress(GateError):  # lists are made all the same
        run_night(runtime.night_parts(), runtime.night_options(), date)
    seconds, spent = time.monotonic() - began, sum(map(seconds_of, processes)) - before
    with engine.connect() as connection:
        run = run_rows.newest(connection, 1)[0]
        cost = newest_cost(connection, row.generator_no) if row else {}
    prompts, tokens = cost["prompts"], cost["tokens"]
    found = {rate.method: rate for rate in hit_rates(engine, runtime.elastic, run, held)}
    product = next(iter(found.values()))
    cells = [
        name,
        f"{prompts:,}",
        f"{1000 * spent / prompts:.0f}",
        f"{1000 * tokens / prompts:,.0f}",
        f"{seconds:.0f}, {run.state}",
        _rates(found["generated queries"]),
        _rates(product),
    ]
    return f"| {' | '.join(cells)} |"


def _rates(found: HitRate) -> str:
    return ", ".join(
        f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})"
        for one in (found.hit_rate, found.recall)
    )


if __name__ == "__main__":
    main(sys.argv[1:])
