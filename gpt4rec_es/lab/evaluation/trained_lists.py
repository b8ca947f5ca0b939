"""Lists of a trained recommender for evaluation users, from the whole catalog."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.lists import Lists, as_lists
from gpt4rec_es.protocols import Progress


def trained_lists(
    engine: Engine,
    split: str,
    part: str,
    folder: Path,
    catalog: EvaluationCatalog,
    eval_users: Sequence[EvalUser],
    ks: Sequence[int],
    progress: Progress,
) -> tuple[str, dict[int, Lists], dict[str, Any]]:
    """Return the method, its lists by length, and the options that it was trained with.

    Raises:
        UsageError: the folder holds no trained recommender, or one of another split or catalog.
    """
    # Loads torch, which other methods do not need.
    from gpt4rec_es.lab.baselines.trained import open_trained  # noqa: PLC0415

    opened = open_trained(engine, split, part, folder)
    longest = max(ks)
    lists = as_lists(opened.lists(eval_users, longest, catalog.active, progress), longest)
    return opened.method, {k: lists[:, :k] for k in ks}, opened.described()
