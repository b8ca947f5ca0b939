"""Vectors by a registered re-ranker for the users of a split, as a night makes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import rerankers
from gpt4rec_es.db.rows.items import load_ids
from gpt4rec_es.db.rows.metadata import load_attributes, load_item_fields
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.ranking.vectors import NO_VECTORS, ItemVectors, Vectors


def chosen_reranker(engine: Engine, split: SplitRow, part: str, name: str) -> Reranker:
    """Return the re-ranker called ``name``, which has seen nothing that ``part`` holds out.

    Raises:
        UsageError: there is none, it was trained on another split, or it learned from the part.
    """
    with transaction(engine) as connection:
        row = rerankers.get(connection, name)
    if not is_of_split(row, split):
        raise UsageError(
            f"The re-ranker {name!r} was not trained on the split {split.name!r}, so it may have "
            "seen what is held out.",
            f"Train one with `gpt4rec train reranker --split {split.name}`, and give its name by "
            "--reranker.",
        )
    if part == "validation" and rerankers.learned_validation(row.card):
        raise UsageError(
            f"The re-ranker {name!r} learned from the validation part.",
            "Measure it on the test part, or train one without --learn-validation.",
        )
    return row


def is_of_split(row: Reranker, split: SplitRow) -> bool:
    """Return whether a re-ranker was trained on the training part of a split."""
    data = row.card.get("data")
    return isinstance(data, dict) and data.get("split_hash") == split.content_hash


def rerank_vectors(
    engine: Engine,
    row: Reranker,
    eval_users: Sequence[EvalUser],
    active: frozenset[int],
    hardware: GeneratorOptions,
) -> Vectors:
    """Return vectors of all items, and of ``eval_users`` by their index.

    Items that the re-ranker does not know have none, nor have users without a known item. active:
    items that lists may have. hardware: device and threads of the re-ranker.

    Raises:
        UsageError: the folder of the re-ranker or its GPT-2 is gone.
        ConflictError: its files changed.
    """
    # Loads torch, which recipes without a re-ranker do not need.
    from gpt4rec_es.reranking.registry import open_registered  # noqa: PLC0415

    served = open_registered(row, hardware.device, hardware.threads)
    with transaction(engine) as connection:
        fields = load_item_fields(connection)  # in order of item number
        ids = load_ids(connection)
        known = load_attributes(connection, [user.user_no for user in eval_users])
    has = served.has_vectors([ids[one.item_no] for one in fields])
    fields = [one for one, has_vector in zip(fields, has, strict=True) if has_vector]
    items = served.item_vectors([ids[one.item_no] for one in fields], fields)
    places = {one.item_no: place for place, one in enumerate(fields)}
    histories = {}
    for user, one in enumerate(eval_users):
        # As a night does: the newest items first, then those of them that are known.
        newest = deduplicate_keep_last(one.history)[: -served.history_length - 1 : -1]
        if read := [places[item] for item in newest if item in places]:
            histories[user] = read
    attributes = [known.get(eval_users[user].user_no, {}) for user in histories]
    users = served.user_vectors(list(histories.values()), items, attributes)
    return Vectors(
        ItemVectors(
            np.array(list(places), np.int64),
            items,
            np.array([item_no in active for item_no in places], np.bool_),
        ),
        dict(zip(histories, users, strict=True)),
    )


class SplitVectors:
    """Vectors by several re-rankers for the same users of a split, each made once."""

    def __init__(
        self,
        engine: Engine,
        split: SplitRow,
        eval_users: Sequence[EvalUser],
        active: frozenset[int],
        hardware: GeneratorOptions,
    ) -> None:
        """Set the users. active, hardware: as in ``rerank_vectors``."""
        self._engine, self._split, self._eval_users = engine, split, eval_users
        self._active, self._hardware = active, hardware
        self._made: dict[str, tuple[Vectors, dict[str, Any]]] = {}

    def by(self, name: str | None, part: str) -> tuple[Vectors, dict[str, Any]]:
        """Return vectors, and the options that evaluations keep of them; None: no re-ranker.

        part: of the split, to which the users belong.

        Raises:
            UsageError, ConflictError: as ``chosen_reranker`` and ``rerank_vectors``.
        """
        if name is None:
            return NO_VECTORS, {}
        if name not in self._made:
            row = chosen_reranker(self._engine, self._split, part, name)
            vectors = rerank_vectors(
                self._engine, row, self._eval_users, self._active, self._hardware
            )
            self._made[name] = vectors, {"reranker": row.as_dict()}
        return self._made[name]
