"""The users and items that re-rankers are compared on: known ones, and those training never saw.

Leave-one-out: each user's last item is the target of the test, the one before it that of
validation. A part of the items and of the users is drawn and kept out of training altogether.
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.baselines import read_rows
from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.training.numbered_split import ValidationUsers
from gpt4rec_es.reranking.metadata import MISSING, RecommenderData
from gpt4rec_es.reranking.reading import learn_reading

RARE = 5  # an item with fewer training events is rare
_SEED = 0
_LEAST = 3  # items of a history with training, validation and test


@dataclass(frozen=True)
class Case:
    """Users with what they are known by and their targets. left_out: items for no list."""

    users: list[int]
    histories: list[list[int]]
    targets: list[list[int]]
    left_out: list[int]

    def at(self, places: Sequence[int]) -> "Case":
        """Return some of the users, by index."""
        return Case(
            [self.users[place] for place in places],
            [self.histories[place] for place in places],
            [self.targets[place] for place in places],
            self.left_out,
        )


@dataclass(frozen=True)
class Cases:
    """Training data, users to stop by, and the measured cases by name."""

    data: RecommenderData
    validation: ValidationUsers
    cases: dict[str, Case]

    def __str__(self) -> str:
        """Return the sizes of all."""
        data = self.data
        sizes = ", ".join(f"{len(case.users)} of {name}" for name, case in self.cases.items())
        events = sum(map(len, data.histories))
        return (
            f"{len(data.histories)} users, {len(data.items)} items, {events} training events; "
            f"measured users: {sizes}"
        )


def read_cases(folder: Path, users: int | None, new_items: float, unseen: float) -> Cases:
    """Return the cases of ``folder``, which holds feeds as CSV.

    users: number of users, the first ones; None: all. new_items, unseen: parts of the items and of
    the users that training does not see.
    """
    rows = read_rows(folder / "items.csv.gz")
    fields = [_item_fields(number, row) for number, row in enumerate(rows)]
    names, histories = _histories(folder, {row["item_id"]: n for n, row in enumerate(rows)}, users)
    random = np.random.default_rng(_SEED)
    is_new = random.random(len(fields)) < new_items
    is_unseen = random.random(len(histories)) < unseen
    known = [[item for item in history if not is_new[item]] for history in histories]
    is_unseen |= np.array([len(history) < _LEAST for history in known])
    seen = np.flatnonzero(~is_unseen).tolist()
    path = folder / "users.csv.gz"
    found = {row["user_id"]: row for row in read_rows(path)} if path.exists() else {}
    attributes = [dict(found.get(names[user], {})) for user in seen]
    trained = [known[user][:-2] for user in seen]
    reading = learn_reading(fields, attributes)
    data = RecommenderData(reading.items(fields), trained, reading.users(attributes))
    targets = [known[user][-2:-1] for user in seen]
    validation = ValidationUsers(list(range(len(seen))), trained, targets)
    new = [[item for item in histories[user] if is_new[item]] for user in seen]
    return Cases(data, validation, _cases(data, known, seen, new, is_new))


def _cases(
    data: RecommenderData,
    known: list[list[int]],
    seen: list[int],
    new: list[list[int]],
    is_new: Any,
) -> dict[str, Case]:
    all_new, others = np.flatnonzero(is_new).tolist(), np.flatnonzero(~is_new).tolist()
    test = Case(
        list(range(len(seen))),
        [known[user][:-1] for user in seen],
        [known[user][-1:] for user in seen],
        all_new,
    )
    rare = [n for n, own in enumerate(test.targets) if int(data.item_counts[own[0]]) < RARE]
    among_new = Case(test.users, test.histories, new, others)
    rest = sorted({*range(len(known))} - {*seen})
    strangers = [history for history in (known[user] for user in rest) if len(history) > 1]
    return {
        "all": test,
        "rare items": test.at(rare),
        "new items": among_new.at([n for n, items in enumerate(new) if items]),
        "unseen users": Case(
            [MISSING] * len(strangers),
            [history[:-1] for history in strangers],
            [history[-1:] for history in strangers],
            all_new,
        ),
    }


def _item_fields(number: int, row: dict[str, str]) -> ItemFields:
    price = Decimal(row["price"]) if row["price"] else None
    return ItemFields(
        number, row["title"] or None, row["brand"] or None, row["category"] or None, price
    )


def _histories(
    folder: Path, numbers: dict[str, int], users: int | None
) -> tuple[list[str], list[list[int]]]:
    """Return the ids of users and their items, oldest first, each once."""
    events: dict[str, list[tuple[int, int]]] = defaultdict(list)
    # Not as a list: a million rows would be most of the memory that is measured.
    with gzip.open(folder / "interactions.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            events[row["user_id"]].append((int(row["ordinal"]), numbers[row["item_id"]]))
    chosen = list(events)[:users]
    return chosen, [deduplicate_keep_last([i for _, i in sorted(events[user])]) for user in chosen]
