"""Lists of a trained re-ranker for evaluation users, from the whole catalog by its own towers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.lists import Lists, as_lists
from gpt4rec_es.protocols import Progress


def reranker_lists(
    engine: Engine,
    split: str,
    folder: Path,
    catalog: EvaluationCatalog,
    eval_users: Sequence[EvalUser],
    ks: Sequence[int],
    progress: Progress,
) -> tuple[dict[int, Lists], dict[str, Any]]:
    """Return the lists by length, and the options that the re-ranker was trained with.

    Raises:
        UsageError: the folder holds no re-ranker of this split, or one of another catalog.
    """
    # Loads torch, which other methods do not need.
    from gpt4rec_es.lab.training.train_reranker import TrainedReranker  # noqa: PLC0415

    opened = TrainedReranker(engine, split, folder)
    longest = max(ks)
    lists = as_lists(opened.lists(eval_users, longest, catalog.active, progress), longest)
    return {k: lists[:, :k] for k in ks}, opened.described()
