"""Count the catalog titles that the filter of repetition would remove if they were queries.

    python -m benchmarks.repetition FOLDER ...

Each folder has an items.csv.gz. Prints one line per folder, and each title found.
"""

import argparse
import csv
import gzip
import sys
from pathlib import Path

from gpt4rec_es.filters.repetition import find_repetition


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="folders with items.csv.gz")
    csv.field_size_limit(sys.maxsize)
    for folder in parser.parse_args().folders:
        with gzip.open(folder / "items.csv.gz", "rt", encoding="utf-8", newline="") as file:
            titles = [row["title"] or "" for row in csv.DictReader(file)]
        found = [title for title in titles if find_repetition(title)]
        part = len(found) / len(titles)
        print(f"{folder.name}: {len(found)} of {len(titles):,} titles ({part:.3%})")
        for title in found:
            print("  ", title[:90])


if __name__ == "__main__":
    main()
