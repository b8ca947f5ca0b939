"""Training data of a split, and the check that a generator has not seen held-out items.

Reads only the split's rows, never the histories it was made from.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.db.rows.history import data_versions, load_trainable_titles
from gpt4rec_es.db.rows.items import load_titles_to_train
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.splits.split import with_validation
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.training.dataset import TrainingData, collect_histories
from gpt4rec_es.prompts.template import display_title

# Number of users to measure the loss on; more take time and change it little.
_LOSS_USERS = 1000
# Part of the validation users whose purchases are kept back when the others' are learned.
_KEPT_BACK = 0.02


@dataclass(frozen=True, slots=True)
class SplitPart:
    """Part of the split ``name`` to train on.

    with_validation: the training part, and validation but for 2 % of its users.
    """

    name: str
    with_validation: bool = False


def read_split_data(engine: Engine, part: SplitPart) -> TrainingData:
    """Return the training titles of a split; the tokenizer is trained on the whole catalog.

    Loss is measured on users of validation whose purchases there are not learned.

    Raises:
        UsageError: there is no such split.
        DataError: the split leaks, or its training part has no title.
    """
    row, split = load_split(engine, part.name)
    kept_back = split.validation[:_LOSS_USERS]
    if part.with_validation:
        kept_back = kept_back[: int(len(split.validation) * _KEPT_BACK)]
        split = with_validation(replace(split, validation=split.validation[len(kept_back) :]))
    with transaction(engine) as connection:
        titles = load_titles_to_train(connection)
        catalog = load_trainable_titles(connection)
        versions = data_versions(connection)
    counts: Counter[str] = Counter()

    def learned() -> Iterator[list[str]]:
        for bought in split.train.values():
            items = deduplicate_keep_last(bought)
            known = [titles[item] for item in items if item in titles]
            counts["purchases_without_learnable_title"] += len(items) - len(known)
            if known:
                counts["users"] += 1
                counts["purchases"] += len(known)
                yield known

    histories = collect_histories(learned())
    if not len(histories):
        raise DataError(
            f"The split {row.name} has no title to learn from.", "Import items with titles."
        )
    validation = collect_histories(
        [
            titles[item]
            for item in deduplicate_keep_last((*eval_user.history, eval_user.targets[0]))
            if item in titles
        ]
        for eval_user in kept_back
    )
    facts = {
        "split": row.name,
        "split_hash": row.content_hash,
        "learned_from_validation": part.with_validation,
        **counts,
        "validation_users": len(validation),
        "catalog_titles": len(catalog),
        **versions,
    }
    return TrainingData([display_title(title) for title in catalog], histories, validation, facts)


def require_unseen(generator: Generator, split: SplitRow, part: str) -> None:
    """Check that ``generator`` was not trained on held-out items of the split's ``part``.

    Raises:
        UsageError: its card does not name this split's training part as its only training data.
    """
    if generator.kind == "titles":
        return
    data = generator.card.get("data", {})
    if data.get("split_hash") != split.content_hash:
        raise UsageError(
            f"The generator {generator.name!r} was not trained on the split {split.name!r}, so it "
            "may have seen what is held out.",
            f"Train one with `gpt4rec train generator --split {split.name}`, or say --trust if you "
            "know that it has not.",
        )
    if part == "validation" and data.get("learned_from_validation"):
        raise UsageError(
            f"The generator {generator.name!r} learned from the validation part of {split.name!r}.",
            "Measure it on the test.",
        )
