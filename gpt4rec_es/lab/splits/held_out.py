"""Files with held-out users and held-out purchases."""

import csv
import gzip
from dataclasses import dataclass, field
from pathlib import Path

from gpt4rec_es.errors import UsageError
from gpt4rec_es.files import require_regular


@dataclass(frozen=True)
class HeldOut:
    """Data excluded from training: whole users, and single purchases as user id -> item ids."""

    users: frozenset[str] = frozenset()
    events: dict[str, set[str]] = field(default_factory=dict)


def read_held_out_lists(users: Path | None, events: Path | None) -> HeldOut:
    """Read held-out user ids, one per line, and held-out purchases, a CSV of user_id,item_id.

    A first line "user_id" is a header.

    Raises:
        UsageError: a file cannot be read.
    """
    ids: list[str] = []
    if users is not None:
        try:
            require_regular(users)
            ids = users.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{users} cannot be read: {error}.", "Check the path.") from error
        ids = ids[1:] if ids[:1] == ["user_id"] else ids
    return HeldOut(frozenset(ids), read_held_out(events) if events is not None else {})


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
