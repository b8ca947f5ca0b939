"""Input of tuning a recipe: the halves of a split's users, and the generator of their queries."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import rerankers
from gpt4rec_es.db.rows.encoders import Encoder
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.evaluation.data import choose_eval_users
from gpt4rec_es.lab.evaluation.evaluate import chosen_generator
from gpt4rec_es.lab.evaluation.nearest_titles import chosen_encoder
from gpt4rec_es.lab.evaluation.rerank_vectors import chosen_reranker, is_of_split
from gpt4rec_es.lab.splits.split import EvalUser, Split
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.tuning.inputs import TuningParts
from gpt4rec_es.lab.tuning.lists.fit import LEAST_USERS
from gpt4rec_es.lab.tuning.lists.list_options import ListTuningOptions


@dataclass(frozen=True, slots=True)
class ListTuningPlan:
    """Plan of a tuning; generator None: no queries are written.

    purchases: newest purchases of the users to choose on, as far as the live recipe counts them.
    counted: purchases whose pairs are counted. Both decide how long a setting takes.
    """

    split: str
    part: str
    generator: str | None
    fit_users: int
    test_users: int
    trials: int
    live: str
    purchases: int
    counted: int


@dataclass(frozen=True, slots=True)
class ListInputs:
    """What a tuning reads: split, users to choose on and to compare on, generator, re-ranker.

    reranker, encoder: the ones to try. live_reranker: name of the one that the live recipe is
    measured with in place of its own, which may have seen what is held out; None: its own, or none.
    """

    row: SplitRow
    split: Split
    fit: tuple[EvalUser, ...]
    test: tuple[EvalUser, ...]
    generator: Generator | None
    reranker: Reranker | None
    live_reranker: str | None
    encoder: Encoder | None


def load_list_inputs(parts: TuningParts, options: ListTuningOptions) -> ListInputs:
    """Return split, users and generator; raises as ``tune_lists`` does."""
    row, split = load_split(parts.engine, options.split, (options.part,))
    users = choose_eval_users(getattr(split, options.part), options.most_users)
    if len(users) < 2 * LEAST_USERS:
        raise UsageError(
            f"{len(users)} users of the {options.part} part of {options.split!r} are too few to "
            f"choose a recipe: {2 * LEAST_USERS} or more are needed.",
            "Keep the live recipe until there are more, make another split, or raise --users.",
        )
    order = np.random.default_rng(options.seed).permutation(len(users))
    half = len(order) // 2
    fit, test = (tuple(users[place] for place in np.sort(part)) for part in np.split(order, [half]))
    generator = chosen_generator(parts.engine, options.evaluation(), row)
    networks = *_rerankers(parts.engine, options, row), _encoder(parts.engine, options, row)
    return ListInputs(row, split, fit, test, generator, *networks)


def _encoder(engine: Engine, options: ListTuningOptions, split: SplitRow) -> Encoder | None:
    name = options.encoder_name
    return None if name is None else chosen_encoder(engine, split, options.part, name)


def _rerankers(
    engine: Engine, options: ListTuningOptions, split: SplitRow
) -> tuple[Reranker | None, str | None]:
    """Return ``ListInputs.reranker`` and ``live_reranker``."""
    name, of_live = options.reranker_name, options.live.recipe.reranker
    tried = None if name is None else chosen_reranker(engine, split, options.part, name)
    if of_live is None:
        return tried, None
    with transaction(engine) as connection:
        row = rerankers.get(connection, of_live)
    is_fair = is_of_split(row, split) and not (
        options.part == "validation" and rerankers.learned_validation(row.card)
    )
    return tried, None if is_fair or tried is None else tried.name


def plan_list_tuning(parts: TuningParts, options: ListTuningOptions) -> ListTuningPlan:
    """Return what ``tune_lists`` would do now; changes nothing, and raises as it does."""
    inputs = load_list_inputs(parts, options)
    return ListTuningPlan(
        options.split,
        options.part,
        inputs.generator.name if inputs.generator else None,
        len(inputs.fit),
        len(inputs.test),
        options.trials,
        options.live.name,
        sum(min(len(user.history), options.base.recipe.fusion.history) for user in inputs.fit),
        sum(map(len, inputs.split.train.values())),
    )
