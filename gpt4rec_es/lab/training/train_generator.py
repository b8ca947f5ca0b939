"""Train a query generator on the shop's histories and register it.

Held-out data must reach neither tokenizer nor network, so it is removed here first.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.history import (
    Bought,
    count_users,
    data_versions,
    item_numbers,
    load_trainable_titles,
    stream_histories,
)
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.generation.options import TrainingOptions
from gpt4rec_es.lab.splits.held_out import HeldOut
from gpt4rec_es.lab.training.dataset import TrainingData, collect_histories
from gpt4rec_es.lab.training.phases import train_network
from gpt4rec_es.lab.training.save import require_resumable
from gpt4rec_es.lab.training.split_data import SplitPart, read_split_data
from gpt4rec_es.prompts.examples import target_positions
from gpt4rec_es.prompts.template import display_title
from gpt4rec_es.protocols import Progress, no_progress


@dataclass(frozen=True)
class TrainReport:
    """A registered training. card: data, options, figures, as in the model card."""

    name: str
    folder: str
    content_hash: str
    is_current: bool
    card: dict[str, Any]


def train_generator(
    engine: Engine,
    options: TrainingOptions,
    *,
    name: str,
    output: Path,
    actor: str,
    held_out: HeldOut | None = None,
    validation_fraction: float = 0.02,
    split: SplitPart | None = None,
    use: bool | None = None,
    progress: Progress = no_progress,
) -> TrainReport:
    """Train a generator on all histories, register it as ``name`` and return a report.

    validation_fraction: fraction of users for validation, on which the loss is measured. split:
    train on its training part only; held_out and validation_fraction are ignored. use: make it the
    generator of nights (None: if there is none yet).

    Raises:
        UsageError: the name or the folder is taken; there is no such split.
        DataError: no training data, or the held-out lists name no known user or purchase.
    """
    _require_free(engine, name, output)
    data = _read(engine, held_out, validation_fraction, split)
    report = train_network(data, options, output.resolve(), progress)
    with transaction(engine) as connection:
        row = generators.register(
            connection,
            name=name,
            kind="gpt2",
            path=str(report.folder),
            content_hash=report.content_hash,
            card=report.card,
        )
        if use or (use is None and generators.current(connection) is None):
            row = generators.use(connection, name, actor=actor)
    return TrainReport(name, str(report.folder), row.content_hash, row.is_current, report.card)


def plan_training(
    engine: Engine,
    options: TrainingOptions,
    name: str,
    output: Path,
    held_out: HeldOut | None,
    validation_fraction: float,
    split: SplitPart | None = None,
) -> dict[str, Any]:
    """Return what ``train_generator`` would train on, after its initial checks.

    pairs: prompts with a target in one epoch.
    """
    _require_free(engine, name, output)
    data = _read(engine, held_out, validation_fraction, split)
    require_resumable(output.resolve(), data, options)
    pairs = sum(
        len(target_positions(len(titles), options.pairs, options.newest_pairs))
        for _, titles in data.histories
    )
    return {"name": name, "folder": str(output.resolve()), "data": data.facts | {"pairs": pairs}}


def _read(
    engine: Engine, held_out: HeldOut | None, validation_fraction: float, split: SplitPart | None
) -> TrainingData:
    if split is None:
        return read_training_data(engine, held_out or HeldOut(), validation_fraction)
    if held_out and (held_out.users or held_out.events):
        raise UsageError(
            "A split says itself what is held out.", "Leave --hold-out-users and -events away."
        )
    return read_split_data(engine, split)


def _require_free(engine: Engine, name: str, output: Path) -> None:
    with transaction(engine) as connection:
        generators.require_free(connection, name)
    if output.exists():
        raise UsageError(
            f"{output} exists already.",
            f"Choose another --output, or register it: `gpt4rec generators add {name} {output}`.",
        )


def read_training_data(
    engine: Engine, held_out: HeldOut, validation_fraction: float, progress: Progress = no_progress
) -> TrainingData:
    """Return catalog titles and histories without held-out data, from one snapshot.

    progress counts users. Validation users are chosen by a hash of their id, so that a later
    training chooses the same ones.

    Raises:
        DataError: there is no user, or the held-out lists name no known user or purchase.
    """
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    with transaction(snapshot) as connection:
        wanted_numbers = {item for items in held_out.events.values() for item in items}
        selection = _Selection(
            held_out, item_numbers(connection, wanted_numbers), validation_fraction
        )
        total = count_users(connection)
        histories = collect_histories(
            selection.titles(stream_histories(connection), progress, total)
        )
        titles = load_trainable_titles(connection)
        versions = data_versions(connection)
    counts = selection.counts
    if not total:
        raise DataError("There is no user.", "Load purchases: `gpt4rec import interactions FILE`.")
    named = held_out.users or held_out.events
    if named and not counts["held_out_users"] + counts["held_out_purchases"]:
        raise DataError(
            "The held-out lists name no user or purchase of this shop.",
            "Check that they hold the shop's own ids.",
        )
    facts = {name: counts[name] for name in _COUNTED}
    facts |= {"catalog_titles": len(titles), **versions}
    return TrainingData(
        [display_title(title) for title in titles],
        histories,
        collect_histories(selection.kept_back),
        facts,
    )


_COUNTED = (
    "users",
    "purchases",
    "validation_users",
    "held_out_users",
    "held_out_purchases",
    "purchases_without_learnable_title",
)


class _Selection:
    """Selects the training data from a stream of histories; counts what it leaves out."""

    def __init__(
        self, held_out: HeldOut, item_nos: Mapping[str, int], validation_fraction: float
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.kept_back: list[list[str]] = []
        self._users = held_out.users
        self._events = {
            user_id: {item_nos[item] for item in items if item in item_nos}
            for user_id, items in held_out.events.items()
        }
        self._validation_fraction = validation_fraction

    def titles(
        self,
        histories: Iterable[tuple[int, str, list[Bought]]],
        progress: Progress,
        total: int,
    ) -> Iterator[list[str]]:
        """Yield the training titles of each user's history, oldest first."""
        for done, (_, user_id, history) in enumerate(histories, start=1):
            if done % 1000 == 0 or done == total:
                progress(done, total)
            if user_id in self._users:
                self.counts["held_out_users"] += 1
                continue
            titles = self._learnable(user_id, history)
            if titles and _is_validation_user(user_id, self._validation_fraction):
                self.counts["validation_users"] += 1
                self.kept_back.append(titles)
            elif titles:
                self.counts["users"] += 1
                self.counts["purchases"] += len(titles)
                yield titles

    def _learnable(self, user_id: str, history: list[Bought]) -> list[str]:
        held = self._events.get(user_id, set())
        titles = []
        for item_no, title, is_trainable in history:
            if item_no in held:
                self.counts["held_out_purchases"] += 1
            elif title is None or not is_trainable:
                self.counts["purchases_without_learnable_title"] += 1
            else:
                titles.append(title)
        return titles


def _is_validation_user(user_id: str, fraction: float) -> bool:
    """Return whether a user is in the ``fraction`` on which the loss is measured."""
    digest = hashlib.blake2b(user_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < fraction * 2**64
