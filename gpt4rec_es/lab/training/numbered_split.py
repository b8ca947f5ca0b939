"""A split in consecutive numbers, as networks index their embeddings: users, items, histories."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.splits.split import EvalUser, Split, with_validation
from gpt4rec_es.protocols import Progress, no_progress

# Function from users, histories and items for no list, all as indices, to lists of indices.
Recommend = Callable[[Sequence[int], Sequence[Sequence[int]], Sequence[int]], list[list[int]]]
_STEP = 512  # users scored at a time


@dataclass(frozen=True, slots=True)
class ValidationUsers:
    """Users to choose the best epoch by. users: numbers, -1: not in the training data.

    left_out: indices of items for no list, as in evaluations: without a title, or not active.
    """

    users: Sequence[int]
    histories: Sequence[Sequence[int]]
    targets: Sequence[Sequence[int]]
    left_out: Sequence[int] = ()


@dataclass(frozen=True, eq=False)
class NumberedSplit:
    """The training data of a split. items: index by item number; users: by user number.

    histories: of each user of the training data, oldest first, each item once. facts: for cards.
    """

    split: SplitRow
    items: dict[int, int]
    users: dict[int, int]
    histories: list[list[int]]
    validation: ValidationUsers
    facts: dict[str, Any]

    def inputs(self, eval_users: Sequence[EvalUser]) -> tuple[list[int], list[list[int]]]:
        """Return the users (-1: not in the training data) and their histories as indices."""
        users = [self.users.get(one.user_no, -1) for one in eval_users]
        return users, [_indices(one.history, self.items) for one in eval_users]

    def lists(
        self,
        eval_users: Sequence[EvalUser],
        active: frozenset[int],
        recommend: Recommend,
        progress: Progress = no_progress,
    ) -> list[list[int]]:
        """Return the item numbers that ``recommend`` finds for each user; it is called in steps.

        active: item numbers that may be listed.
        """
        numbers = list(self.items)
        left_out = [index for item, index in self.items.items() if item not in active]
        users, histories = self.inputs(eval_users)
        found: list[list[int]] = []
        for first in range(0, len(users), _STEP):
            part = slice(first, first + _STEP)
            found += recommend(users[part], histories[part], left_out)
            progress(len(found), len(users))
        return [[numbers[index] for index in items] for items in found]


def number_split(
    row: SplitRow,
    split: Split,
    item_nos: Sequence[int],
    unfindable: Collection[int],
    *,
    learn_validation: bool = False,
) -> NumberedSplit:
    """Return the split with items numbered in the order of ``item_nos``, the whole catalog.

    unfindable: item numbers for no list of validation users. learn_validation: the validation part
    is training data, too, and there are no validation users.
    Nothing of the test part is in the result.
    """
    if learn_validation:
        split = with_validation(split)
    items = {item_no: index for index, item_no in enumerate(item_nos)}
    users = {user_no: index for index, user_no in enumerate(sorted(split.train))}
    histories = [_indices(split.train[user_no], items) for user_no in users]
    facts = {
        "split": row.name,
        "split_hash": row.content_hash,
        "users": len(users),
        "items": len(items),
        "purchases": sum(map(len, histories)),
        "validation_users": len(split.validation),
    }
    numbered = NumberedSplit(row, items, users, histories, ValidationUsers([], [], []), facts)
    chosen, known = numbered.inputs(split.validation)
    targets = [[items[item] for item in one.targets] for one in split.validation]
    left_out = sorted(items[item] for item in unfindable if item in items) if chosen else []
    return replace(numbered, validation=ValidationUsers(chosen, known, targets, left_out))


def _indices(item_nos: Sequence[int], items: dict[int, int]) -> list[int]:
    return [items[item] for item in deduplicate_keep_last(item_nos)]
