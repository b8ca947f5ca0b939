"""``gpt4rec demo``: everything once, on a small set of real purchases and local servers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.demo_output import print_customer
from gpt4rec_es.cli.output import plural, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.report import write_latest

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gpt4rec_es.db.rows.runs import Run
    from gpt4rec_es.lab.evaluation.hit_rates import HitRate
    from gpt4rec_es.metrics.significance import Interval
    from gpt4rec_es.runtime import Runtime

_FOLDER = "online-retail-ii-sample"
_GENERATOR = "demo"
# A second thread makes a network this small no faster, and much slower beside other work.
_TRAINING: dict[str, Any] = {"size": "tiny", "threads": 1}


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder with items.csv.gz, interactions.csv.gz and held_out.csv.gz. "
    "[default: data/online-retail-ii-sample]",
)
@click.option("--users", default=3, show_default=True, help="Number of customers to show.")
def demo(data: Path | None, users: int) -> None:
    """Start local servers, import purchases, train, run a night and show its result.

    Safe to repeat: completed steps are skipped.

    Example: gpt4rec demo --users 5
    """
    from gpt4rec_es.resources import resource_path

    folder = data or resource_path("data") / _FOLDER
    with _step("Local servers"):
        _start_servers()
    runtime = get_runtime()
    with _step("Database schema"):
        _migrate(runtime)
    with _step("Import"):
        _import(runtime, folder)
    with _step("Query generator"):
        _train(runtime)
    with _step("Night"):
        _night(runtime)
    _show(runtime, folder, users)


@contextmanager
def _step(name: str) -> Iterator[None]:
    started = time.monotonic()
    print_line(f"== {name}")
    yield
    print_line(f"   {time.monotonic() - started:.0f} s")


def _start_servers() -> None:
    import os

    from gpt4rec_es import stack

    start = stack.checkout(Path.cwd())
    folder = stack.default_folder(start)
    with progress_bar("Downloading Elasticsearch", "bytes") as progress:
        stack.up(folder, stack.default_options(os.environ), progress, print_line)
    stack.remember_folder(start, folder)


def _migrate(runtime: "Runtime") -> None:
    from gpt4rec_es.db import migrate

    migrate.upgrade(runtime.settings.require("owner_database_url"))


def _import(runtime: "Runtime", folder: Path) -> None:
    from gpt4rec_es.catalog.import_interactions import import_interactions
    from gpt4rec_es.catalog.import_items import import_items

    uses = ((import_items, "items.csv.gz"), (import_interactions, "interactions.csv.gz"))
    for use_case, name in uses:
        with progress_bar(f"Importing {name}", "bytes") as progress:
            report = use_case(
                runtime.engine, [folder / name], actor=runtime.settings.actor, progress=progress
            )
        print_line(
            f"   {name}: {plural(report.records, 'record')}, {report.inserted:,} new, "
            f"{report.unchanged:,} unchanged, {sum(report.rejected.values())} rejected"
        )


def _train(runtime: "Runtime") -> None:
    from gpt4rec_es.generation.options import training_options
    from gpt4rec_es.generation.registry import list_generators, use_generator
    from gpt4rec_es.lab.training.train_generator import train_generator
    from gpt4rec_es.stack import checkout

    actor = runtime.settings.actor
    if any(row.name == _GENERATOR for row in list_generators(runtime.engine)):
        use_generator(runtime.engine, _GENERATOR, actor=actor)
        print_line("   trained already")
        return
    with progress_bar("Training a GPT-2 of 1 million parameters", "steps") as progress:
        report = train_generator(
            runtime.engine,
            training_options("demo", _TRAINING),
            name=_GENERATOR,
            output=checkout(Path.cwd()) / ".models" / _GENERATOR,
            actor=actor,
            use=True,
            progress=progress,
        )
    print_line(f"   {report.card['parameters']:,} parameters, {report.card['seconds']:.0f} s")


def _night(runtime: "Runtime") -> None:
    from gpt4rec_es.night.inprocess import run_night
    from gpt4rec_es.night.schedule import today

    date = today(runtime.engine, runtime.settings.timezone)
    with progress_bar("Night", "done in this stage") as progress:
        report = run_night(runtime.night_parts(), runtime.night_options(), date, progress=progress)
    print_line(
        f"   {report.run_id} is {report.state}: "
        f"{plural(report.recommendations, 'recommendation')} for "
        f"{plural(report.users, 'user')}; {report.tokens:,} tokens generated, "
        f"{report.searches:,} searches."
    )


def _show(runtime: "Runtime", folder: Path, users: int) -> None:
    from gpt4rec_es.db.rows import runs as run_rows
    from gpt4rec_es.db.rows.analysts import users_to_show
    from gpt4rec_es.night.inspect.why import explain_user

    with runtime.engine.connect() as connection:
        run = run_rows.find(connection, "latest")
        shown = users_to_show(connection, users)
        _print_figures(runtime, run, folder)
        _print_ratio(connection)
    for user_id in shown:
        print_customer(explain_user(runtime.engine, user_id).as_dict())
    _print_questions(runtime)
    _print_next(shown[0] if shown else "USER")
    print_line(f"The night on one page, for a browser: {write_latest(runtime).path}")


def _print_figures(runtime: "Runtime", run: "Run", folder: Path) -> None:
    from gpt4rec_es.lab.evaluation.hit_rates import hit_rates
    from gpt4rec_es.lab.splits.held_out import read_held_out

    held = read_held_out(folder / "held_out.csv.gz")
    rates = hit_rates(runtime.engine, runtime.elastic, run, held)
    print_line("")
    print_line(
        f"New items of the held-out last basket in lists of {run.k}, for "
        f"{plural(rates[0].hit_rate.n, 'customer')} (95 % intervals):"
    )
    print_table(
        ["method", "hits", "hit rate", "recall", "from product"],
        [
            [rate.method, rate.hits, _interval(rate.hit_rate), _interval(rate.recall), _away(rate)]
            for rate in rates
        ],
    )


def _interval(found: "Interval") -> str:
    return f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"


def _away(rate: "HitRate") -> str | None:
    """Say whether the hit rate differs from that of the run's lists by more than chance."""
    if rate.p_value is None:
        return None
    return "chance" if rate.p_value >= 0.05 else "more than chance"


def _print_ratio(connection: "Connection") -> None:
    from gpt4rec_es.db.rows.analysts import count_latest_queries

    total, distinct = count_latest_queries(connection)
    print_line(
        f"{total:,} queries were written, {distinct:,} of them different: "
        "each different text is searched once."
    )


def _print_questions(runtime: "Runtime") -> None:
    from gpt4rec_es.db.engine import make_engine
    from gpt4rec_es.db.rows.analysts import QUESTIONS, answer

    url = runtime.settings.require("analyst_database_url")
    engine = make_engine(url, application_name="gpt4rec demo")
    with engine.connect() as connection:
        for question in QUESTIONS:
            print_line("")
            print_line(question.title)
            for line in question.sql.splitlines():
                print_line(f"    {line}")
            columns, rows = answer(connection, question)
            print_table(columns, rows)
    engine.dispose()


def _print_next(user_id: str) -> None:
    program = _own_command()
    print_line("Where to go next:")
    for arguments, purpose in (
        (f"why {user_id}", "explain any customer's list, item by item"),
        ("runs show", "what the night did, and what its gates found"),
        ("search 'red lantern'", "search the catalog as the night does"),
        ("night", "a second night: nothing changed, so it costs nothing"),
        ("index bm25 set --k1 0.9 --b 0.5 --reason 'a try'", "other BM25 parameters, no outage"),
        ("stack psql", "open psql as an analyst: views of schema analytics"),
        ("stack down", "stop the local servers"),
    ):
        print_line(f"  {program} {arguments}")
        print_line(f"      {purpose}")
    print_line("  docs/analytics.md, docs/operations.md, docs/architecture.md")


def _own_command() -> str:
    """Return how to call this program from here: by name if the PATH has it."""
    import shutil
    import sys

    if shutil.which("gpt4rec"):
        return "gpt4rec"
    script = Path(sys.executable).with_name("gpt4rec")
    return str(script.relative_to(Path.cwd())) if script.is_relative_to(Path.cwd()) else str(script)
