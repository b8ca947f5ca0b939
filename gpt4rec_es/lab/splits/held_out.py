"""Files that say what is held out: one user and item a line."""

import csv
import gzip
from pathlib import Path

from gpt4rec_es.errors import UsageError


def read_held_out(path: Path) -> dict[str, set[str]]:
    """Return user id -> item ids of a CSV (plain or gz) with columns user_id and item_id.

    Raises:
        UsageError: the file cannot be read or lacks a column.
    """
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", newline="") as lines:
            held: dict[str, set[str]] = {}
            for row in csv.DictReader(lines):
                held.setdefault(row["user_id"], set()).add(row["item_id"])
            return held
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except KeyError as error:
        raise UsageError(f"{path} has no column {error}.", "It needs user_id,item_id.") from error
