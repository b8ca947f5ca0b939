"""Lists of a trained recommender for evaluation users, from the whole catalog."""

import time
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
    """Return the method, its lists by length, and the options and cost that it was trained with.

    ``serving`` in the options is the cost of the lists alone, without opening the folder.

    Raises:
        UsageError: the folder holds no trained recommender, or one of another split or catalog.
    """
    # Other methods do not need torch.
    from gpt4rec_es.lab.baselines.trained import open_trained  # noqa: PLC0415
    from gpt4rec_es.lab.training.cost import serving_cost  # noqa: PLC0415

    opened = open_trained(engine, split, part, folder)
    longest = max(ks)
    started = time.monotonic()
    found = opened.lists(eval_users, longest, catalog.active, progress)
    serving = serving_cost(time.monotonic() - started, len(eval_users))
    lists = as_lists(found, longest)
    return (
        opened.method,
        {k: lists[:, :k] for k in ks},
        {**opened.described(), "serving": serving},
    )
