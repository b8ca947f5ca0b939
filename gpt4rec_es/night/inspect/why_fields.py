"""Explain a user's list by the metadata fields that the run's re-ranker read of its items."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import Engine

from gpt4rec_es.db.rows import rerankers
from gpt4rec_es.db.rows.metadata import load_item_fields
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.errors import UsageError
from gpt4rec_es.night.inspect.merged_again import merge_again
from gpt4rec_es.reranking.field_effects import field_effects, is_explanation, rank_agreement
from gpt4rec_es.reranking.registry import Served
from gpt4rec_es.reranking.serving import ServedReranker


@dataclass(frozen=True, slots=True)
class FieldExplanation:
    """Fields of the listed items, as JSON values.

    items: by rank, each with its fields. agreement: rank correlation of their attention weights and
    effects; None: there is none. is_explanation: whether it is high enough to call the weights one.
    Metadata are those of now; is_changed: the re-ranker read others in the run.
    """

    user_id: str
    run_id: str
    reranker: str
    items: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def explain_fields(
    engine: Engine,
    open_reranker: Callable[[Reranker], Served],
    user_id: str,
    run_id: str = "latest",
) -> FieldExplanation:
    """Return what the fields of a user's listed items do to their re-rank scores.

    open_reranker: opens a registered re-ranker.

    Raises:
        UsageError: no such user or run, the run had no re-ranker, or one that reads no metadata,
        or its folder is gone.
        ConflictError: the folder has other content now.
    """
    with engine.connect() as connection:
        again = merge_again(connection, user_id, run_id)
        if again.run.reranker_no is None:
            raise UsageError(
                f"Run {again.run.run_id} has no re-ranker.",
                "`gpt4rec recipes show` says whether the live recipe names one.",
            )
        row = rerankers.load(connection, again.run.reranker_no)
        listed = [one for one in again.stored if one.rerank_score is not None]
        fields = load_item_fields(connection, [one.item_no for one in listed])
        names = again.load_names(connection)
        vectors = again.inputs.vectors
        then, _ = vectors.items.of(np.array([one.item_no for one in listed], np.int64))
    user_vector = vectors.users.get(again.user.user_no)
    of_item = {one.item_no: one for one in fields}
    found, is_changed = [], []
    if row.gpt2 is None:
        raise UsageError(
            f"The re-ranker {row.name!r} of run {again.run.run_id} reads no metadata.",
            "`gpt4rec why` without --fields shows the parts of each score.",
        )
    if listed and user_vector is not None:
        served = open_reranker(row)
        assert isinstance(served, ServedReranker)  # noqa: S101 -- the others have no GPT-2
        ids = [names[one.item_no]["item_id"] for one in listed]
        rows = [of_item[one.item_no] for one in listed]
        now = served.item_vectors(ids, rows)
        is_changed = (now != then).any(axis=1).tolist()
        found = [
            field_effects(served, item_id, one, user_vector)
            for item_id, one in zip(ids, rows, strict=True)
        ]
    agreed = [rank_agreement(effects) for effects in found]
    return FieldExplanation(
        user_id=again.user_id,
        run_id=again.run.run_id,
        reranker=row.name,
        items=[
            {
                "rank": one.rank,
                "item_id": names[one.item_no]["item_id"],
                "title": names[one.item_no]["title"],
                "merge_rank": one.merge_rank,
                "rerank_score": one.rerank_score,
                "is_changed": changed,
                "agreement": agreement,
                "is_explanation": is_explanation(agreement),
                "fields": [asdict(effect) for effect in effects],
            }
            for one, effects, changed, agreement in zip(
                listed, found, is_changed, agreed, strict=True
            )
        ],
    )
