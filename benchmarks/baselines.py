"""Metrics of recommenders without training on a data folder, by every protocol.

The folder holds ``items.csv.gz`` and ``interactions.csv.gz`` as the importer reads them. Nothing is
stored. Titles become lower-case words, or the tokens of a server's analyzer.
"""

import csv
import gzip
import json
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gpt4rec_es.errors import Gpt4RecError
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.evaluation.measure import ALL, Measurer, MetricRow
from gpt4rec_es.lab.evaluation.methods import BASELINES, Baselines, MethodOptions
from gpt4rec_es.lab.splits.protocols import PROTOCOLS, SplitOptions, make_split
from gpt4rec_es.lab.splits.split import with_validation
from gpt4rec_es.metrics.labels import CategoryLabels, LabelSets, category_labels, label_sets
from gpt4rec_es.records import Bm25


@dataclass(frozen=True)
class Data:
    """A data set; items are numbered in file order, users in order of appearance."""

    item_ids: list[str]
    titles: dict[int, str]
    labels: dict[str, LabelSets]
    users: list[tuple[int, list[tuple[int, float]]]]
    has_times: bool


def words(text: str) -> list[str]:
    """Return the words of a text, as the standard analyzer does for simple titles."""
    return re.findall(r"\w+", text.lower())


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a gzipped CSV file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_data(folder: Path, part: CategoryLabels) -> Data:
    """Return the data set in ``folder``."""
    items = read_rows(folder / "items.csv.gz")
    number = {row["item_id"]: place for place, row in enumerate(items)}
    events: dict[str, list[tuple[int, float]]] = {}
    rows = read_rows(folder / "interactions.csv.gz")
    has_times = all(row.get("timestamp") for row in rows)
    rows.sort(key=lambda row: int(row["ordinal"]))
    for row in rows:
        at = float(row["timestamp"] if has_times else row["ordinal"])
        events.setdefault(row["user_id"], []).append((number[row["item_id"]], at))
    by_name: dict[str, dict[int, Collection[str]]] = {
        "category": {n: category_labels(row.get("category"), part) for n, row in enumerate(items)},
        "brand": {n: {row["brand"]} for n, row in enumerate(items) if row.get("brand")},
    }
    return Data(
        [row["item_id"] for row in items],
        {n: row["title"] for n, row in enumerate(items) if row["title"]},
        {
            name: label_sets(sets, len(items))
            for name, sets in by_name.items()
            if any(sets.values())
        },
        [(user, events[user_id]) for user, user_id in enumerate(sorted(events))],
        has_times,
    )


def make_catalog(data: Data) -> EvaluationCatalog:
    """Return the items as the catalog of an evaluation."""
    index = MemoryIndex(
        [
            TokenizedTitle(data.item_ids[item], item, words(title))
            for item, title in data.titles.items()
        ]
    )
    return EvaluationCatalog(
        item_ids=dict(enumerate(data.item_ids)),
        titles=data.titles,
        labels=data.labels,
        n_items=len(data.item_ids),
        active=frozenset(data.titles),
        index=index,
        bm25=Bm25(),
        analyze=lambda texts: [words(text) for text in texts],
    )


def as_rows(metrics: Sequence[MetricRow]) -> list[dict[str, Any]]:
    """Return one row per segment and k with the mean and interval of every metric."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for metric in metrics:
        start = {"k": metric.k, "segment": metric.segment}
        row = rows.setdefault((metric.segment, metric.k), start)
        row[metric.metric] = {"mean": metric.mean, "low": metric.low, "high": metric.high}
    return list(rows.values())


def print_table(name: str, rows: Sequence[Mapping[str, Any]], *, heading: bool) -> None:
    """Print recall and NDCG per k of one recommender, and half the interval's width last."""
    if heading:
        columns = "".join(f"   R@{row['k']:<4} N@{row['k']:<4}" for row in rows)
        click.echo(f"{'':15}{columns}   +-R@{rows[-1]['k']}")
    cells = "".join(f"   {row['recall']['mean']:.4f} {row['ndcg']['mean']:.4f}" for row in rows)
    last = rows[-1]["recall"]
    click.echo(f"{name:15}{cells}   {(last['high'] - last['low']) / 2:.4f}")


@click.command()
@click.option("--data", "folder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default="leave-one-out",
    show_default=True,
    help="gpt4rec: users split 0.8/0.1/0.1, newest 15, titles of at most 400 characters.",
)
@click.option("--k", "ks", multiple=True, type=int, default=(5, 10, 20, 40), show_default=True)
@click.option("--seed", default=1, show_default=True, help="Of a split by users.")
@click.option("--shuffle-ties", type=int, help="Seed; without it ties keep their stored order.")
@click.option(
    "--refit/--no-refit",
    default=True,
    show_default=True,
    help="Learn from validation, too, before the test.",
)
@click.option("--only", multiple=True, type=click.Choice(BASELINES), help="Names of baselines.")
@click.option("--by-segment", is_flag=True, help="With --json: rows per segment, too.")
@click.option(
    "--category-labels",
    type=click.Choice([part.value for part in CategoryLabels]),
    default="path_without_root",
)
@click.option("--json", "as_json", is_flag=True)
def main(
    folder: Path,
    protocol: str,
    ks: tuple[int, ...],
    seed: int,
    shuffle_ties: int | None,
    refit: bool,
    only: tuple[str, ...],
    by_segment: bool,
    category_labels: str,
    as_json: bool,
) -> None:
    """Print metrics of recommenders without training on the data in a folder."""
    data = read_data(folder, CategoryLabels(category_labels))
    try:
        split = make_split(
            data.users,
            SplitOptions(protocol, seed, shuffle_ties),
            {item: len(title) for item, title in data.titles.items()},
            has_times=data.has_times,
        )
    except Gpt4RecError as error:
        raise click.ClickException(str(error)) from None
    if refit:
        split = with_validation(split)
    click.echo(
        f"{protocol}: {len(split.train)} users to learn from, {len(split.test)} to test",
        err=as_json,
    )
    catalog = make_catalog(data)
    baselines = Baselines(catalog, split.train, MethodOptions())
    measurer = Measurer(catalog, split.test, split.train, split.train)
    found = {}
    for name in only or BASELINES:
        started = time.process_time()
        rows = as_rows(measurer.rows(baselines.lists(name, split.test, ks)))
        found[name] = [row for row in rows if by_segment or row["segment"] == ALL]
        if not as_json:
            print_table(name, found[name], heading=len(found) == 1)
        click.echo(f"  {name}: {time.process_time() - started:.0f} CPU s", err=True)
    if as_json:
        click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
