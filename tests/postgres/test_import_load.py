"""Imports of mutated and large files: all accepted records are stored, memory is bounded."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.import_interactions import import_interactions
from gpt4rec_es.catalog.import_items import import_items
from tests.databases import Database
from tests.unit.feeds.test_fuzz import csv_event, csv_item, json_item, mutate

ROWS = 3000
# Prints the peak resident size of the process in kB.
MEASURED = """
import sys
from pathlib import Path
from gpt4rec_es.db.engine import make_engine
from gpt4rec_es.catalog.import_interactions import import_interactions
engine = make_engine(sys.argv[1], application_name="memory")
report = import_interactions(engine, [sys.argv[2]], actor="tester")
peak = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
print(report.inserted, peak.split()[1])
"""


@pytest.mark.parametrize("seed", range(2))
def test_mutated_records_are_stored_or_set_aside(
    database: Database, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    count = "SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM interactions)"
    stored = 0
    for name, header, make in (
        ("items.csv", b"item_id,title,brand,price\n", csv_item),
        ("items.jsonl", b"", json_item),
    ):
        path = tmp_path / name
        lines = [mutate(make(n), rng) if n % 2 else make(n) for n in range(ROWS)]
        path.write_bytes(header + b"\n".join(lines))
        report = import_items(database.engine, [path], actor="tester", max_rejects=1)
        stored += report.inserted
        assert report.records == report.accepted + sum(report.rejected.values())
        assert report.accepted == (
            report.inserted + report.updated + report.unchanged + report.duplicates
        )
        assert report.accepted >= ROWS / 2
        assert sum(report.rejected.values()) > ROWS / 10
    path = tmp_path / "events.csv"
    lines = [mutate(csv_event(n), rng) if n % 2 else csv_event(n) for n in range(ROWS)]
    path.write_bytes(b"user_id,item_id,timestamp,ordinal,rating\n" + b"\n".join(lines))
    report = import_interactions(database.engine, [path], actor="tester", max_rejects=1)
    assert report.records == report.accepted + sum(report.rejected.values())
    assert report.accepted == report.inserted + report.duplicates
    assert report.accepted >= ROWS / 2
    assert report.rejected["unknown_item"] > 0
    with database.engine.begin() as connection:
        assert connection.execute(text(count)).one() == (stored, report.inserted)
        rejects = connection.execute(text("SELECT count(*) FROM import_rejects")).scalar_one()
        noted = connection.execute(text("SELECT sum(rejected) FROM imports")).scalar_one()
    assert rejects == noted


def test_memory_does_not_grow_with_the_file(database: Database, tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("item_id,title\n" + "".join(f"i{n},Mug\n" for n in range(100)))
    import_items(database.engine, [items], actor="tester")
    peaks = []
    for rows in (20_000, 150_000):
        path = tmp_path / f"{rows}.csv"
        with path.open("w") as file:
            file.write("user_id,item_id,ordinal\n")
            file.writelines(f"user{n % 5000},i{n % 100},{rows + n}\n" for n in range(rows))
        command = [sys.executable, "-c", MEASURED, database.writer_url, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        inserted, peak = map(int, done.stdout.split())
        assert inserted == rows
        peaks.append(peak)
    # Held in memory, 130,000 records more would take over 50 MB.
    assert peaks[1] - peaks[0] < 20_000, peaks
