"""Rows per second of `gpt4rec import interactions`, from a CSV file to the tables."""

import tempfile
from pathlib import Path

from benchmarks.place import Place
from benchmarks.shops import fill_items
from benchmarks.table import Line, at_least, rate
from benchmarks.timing import interleaved
from gpt4rec_es.catalog.import_interactions import import_interactions

_ROUNDS = 3
_PER_USER = 10
ITEMS = 20_000


def measure(place: Place, rows: int) -> list[Line]:
    """Return the number of interactions per second imported into empty tables."""
    fill_items(place, ITEMS)
    with tempfile.TemporaryDirectory() as folder:
        file = write_interactions(Path(folder) / "interactions.csv", rows)
        timings = interleaved(
            {"ours": (_ROUNDS, lambda: import_interactions(place.engine, [file], actor="bench"))},
            prepare=lambda: place.run("TRUNCATE users CASCADE"),
        )["ours"]
    return [
        at_least("import", rows / timings.wall_seconds, 50_000, rate("interactions")),
        Line("import: client's time", f"{timings.cpu_seconds / rows * 1e6:.1f} us/row"),
    ]


def write_interactions(path: Path, rows: int) -> Path:
    """Write ``rows`` different interactions of users with ten each; return the path."""
    with path.open("w", encoding="utf-8") as file:
        file.write("user_id,item_id,timestamp\n")
        for number in range(rows):
            user, place = divmod(number, _PER_USER)
            item = (user * 7919 + place * 104_729) % ITEMS + 1
            file.write(f"user-{user:08},i{item:07},{1_600_000_000 + number}\n")
    return path
