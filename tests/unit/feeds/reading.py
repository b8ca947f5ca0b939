"""Read a whole file as an import does, without a database."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpt4rec_es.feeds.batches import Reject
from gpt4rec_es.feeds.formats import Formats
from gpt4rec_es.feeds.interactions import read_interactions
from gpt4rec_es.feeds.items import Item, read_items
from gpt4rec_es.feeds.opening import open_feed, read_values
from gpt4rec_es.feeds.shapes import FIELDS, Kind, find_shape

SAMPLES = Path(__file__).parents[2] / "data" / "feeds"
# A row of an interaction: user id, item id, event_no, has_time, ordinal, rating.
Row = tuple[Any, ...]
AUTO = Formats()


def raw_records(
    path: Path, kind: Kind = "items"
) -> tuple[list[int], list[list[object]], list[Reject]]:
    """Return lines and fields of the records that could be read, and rejects."""
    lines: list[int] = []
    values: list[list[object]] = []
    rejects: list[Reject] = []
    with closing(open_feed(path)) as feed:
        shape = find_shape(str(path), kind, feed.fields, "auto", {})
        for batch in feed.batches([shape.sources.get(name, ()) for name in FIELDS[kind]]):
            lines += batch.lines
            values += map(list, batch.values)
            rejects += batch.rejects
    return lines, values, rejects


def items_of(
    path: Path, wanted: str = "auto", formats: Formats = AUTO, **columns: str
) -> tuple[list[Item], list[Reject]]:
    with closing(open_feed(path, formats)) as feed:
        shape = find_shape(str(path), "items", feed.fields, wanted, columns)
        reading = read_values(feed, path, shape, formats)
        items: list[Item] = []
        rejects: list[Reject] = []
        for batch in feed.batches([shape.sources.get(name, ()) for name in FIELDS["items"]]):
            found = read_items(batch, str(path), reading)
            items += found.items
            rejects += found.rejects
    return items, rejects


def interactions_of(
    path: Path,
    wanted: str = "auto",
    unit: str | None = None,
    formats: Formats = AUTO,
    **columns: str,
) -> tuple[list[Row], list[Reject]]:
    formats = replace(formats, time_unit=unit)
    with closing(open_feed(path, formats)) as feed:
        shape = find_shape(str(path), "interactions", feed.fields, wanted, columns)
        reading = read_values(feed, path, shape, formats)
        rows: list[Row] = []
        rejects: list[Reject] = []
        for batch in feed.batches([shape.sources.get(name, ()) for name in FIELDS["interactions"]]):
            found, bad = read_interactions(batch, str(path), reading)
            rows += zip(
                found.user_ids,
                found.item_ids,
                found.event_nos,
                found.has_times,
                found.ordinals,
                found.ratings,
                strict=True,
            )
            rejects += bad
    return rows, rejects
