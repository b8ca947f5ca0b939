"""Vectors by a re-ranker for the users of a split, as a night makes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import rerankers
from gpt4rec_es.db.rows.items import load_ids
from gpt4rec_es.db.rows.metadata import load_attributes, load_item_fields
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.ranking.vectors import ItemVectors, Vectors


def rerank_vectors(
    engine: Engine,
    split: SplitRow,
    name: str,
    folder: Path | None,
    eval_users: Sequence[EvalUser],
) -> Vectors:
    """Return vectors of all items, and of ``eval_users`` by their index; without history, none.

    name: of a recipe's re-ranker, which is registered; folder: another one in its place.

    Raises:
        UsageError: there is no such re-ranker, one of another split, or one that no night
            could use.
    """
    # Loads torch, which recipes without a re-ranker do not need.
    from gpt4rec_es.reranking.checkpoint import read_document  # noqa: PLC0415
    from gpt4rec_es.reranking.registry import open_registered  # noqa: PLC0415
    from gpt4rec_es.reranking.serving import ServedReranker  # noqa: PLC0415

    with transaction(engine) as connection:
        row = rerankers.get(connection, name) if folder is None else None
        fields = load_item_fields(connection)  # in order of item number
        ids = load_ids(connection)
        known = load_attributes(connection, [user.user_no for user in eval_users])
    if row is not None:
        require_split(Path(row.path), row.card, split)
        served = open_registered(row)
    else:
        assert folder is not None  # noqa: S101 -- else there is a row
        card = read_document(folder)["card"]
        require_split(folder, card, split)
        served = ServedReranker(folder, card["gpt2"]["path"])
    item_nos = np.array([one.item_no for one in fields], np.int64)
    places = {int(item_no): place for place, item_no in enumerate(item_nos)}
    items = served.item_vectors([ids[one.item_no] for one in fields], fields)
    histories = [
        [places[item] for item in deduplicate_keep_last(user.history)[::-1]] for user in eval_users
    ]
    attributes = [known.get(user.user_no, {}) for user in eval_users]
    users = served.user_vectors(histories, items, attributes)
    return Vectors(
        ItemVectors(item_nos, items),
        {user: users[user] for user, history in enumerate(histories) if history},
    )


def require_split(folder: Path, card: dict[str, object], split: SplitRow) -> None:
    """Check that a re-ranker was trained on the split, so that it saw nothing that is held out.

    Raises:
        UsageError: it was trained on another.
    """
    data = card.get("data")
    if not isinstance(data, dict) or data.get("split_hash") != split.content_hash:
        raise UsageError(
            f"The re-ranker in {folder} was not trained on the split {split.name!r}, so it may "
            "have seen what is held out.",
            f"Train one with `gpt4rec train reranker --split {split.name}`, and give its folder by "
            "--reranker.",
        )
