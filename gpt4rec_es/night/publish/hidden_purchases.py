"""Compare how often the run and the published one find purchases that were hidden from both.

The same users are served by both, each by its own generations, build, recipe, co-purchases and
re-ranker. Rules are left out: they are no quality of what makes lists. Generations and searches
were made by the stages, under their keys; missing searches are made here.
"""

import datetime as dt
import time
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection

from gpt4rec_es.db.rows import held_out as rows
from gpt4rec_es.db.rows import rerankers
from gpt4rec_es.db.rows.held_out import HeldOut
from gpt4rec_es.db.rows.lists import load_inputs
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.logs import scrub
from gpt4rec_es.metrics.lists import PerUser
from gpt4rec_es.metrics.significance import bootstrap_interval
from gpt4rec_es.night.inputs.item_vectors import load_run_items
from gpt4rec_es.night.inputs.near import open_searches
from gpt4rec_es.night.inputs.opened import open_unchanged
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.publish import measures as names
from gpt4rec_es.night.publish.checked import Checked, Verdict, is_made_as_before
from gpt4rec_es.night.stages.embed import embed_users
from gpt4rec_es.night.stages.hits import RunHits
from gpt4rec_es.night.stages.load_merge_inputs import inputs_of_purchases
from gpt4rec_es.night.stages.merge import MergedUsers
from gpt4rec_es.night.stages.merge_inputs import used_inputs
from gpt4rec_es.options.lists import CO_PURCHASE, Fusion
from gpt4rec_es.ranking.vectors import NO_VECTORS, Vectors

# Users below which a difference only warns.
ENOUGH = 1000
# Users merged at once.
_USERS = 500
_SEED = 7


def hidden_purchases_are_found(checked: Checked) -> Verdict:
    """Check that the run finds hidden purchases as often as the published one, 5 % apart.

    It is refused if the 97.5 % upper bound of (its hit rate - 0.95 x the published one's), paired
    over 1,000 users or more, is below 0; of fewer users, or where the published run uses
    co-purchases by another fusion, that is a warning. Nothing is served if
    generator, recipe, build and code are those of the published run. Lists are compared up to the
    smaller K.
    """
    before, ratio = checked.before, checked.limits.held_out_ratio
    if before is None:
        return Verdict(True, "nothing is published yet", "nothing")
    if is_made_as_before(checked):
        same = "generator, recipe, build and code are those of the published run"
        return Verdict(True, f"not measured: {same}", "nothing")
    if rows.count(checked.connection, checked.run.run_no) == 0:
        return Verdict(True, "not measured: the cohort is too small for a sample", "nothing")
    users = rows.load_common(checked.connection, checked.run, before)
    required = f"at least {ratio:.0%} of the published run's, by chance at most"
    if not users:
        no_user = "no user is in the samples of both runs"
        return Verdict(False, f"not measured: {no_user}", required, is_blocking=False)
    started, k = time.monotonic(), min(checked.run.k, before.k)
    new = _serve(checked.parts, checked.connection, checked.run, users, k)
    try:
        old = _serve(checked.parts, checked.connection, before, users, k)
    except (ConflictError, UsageError) as error:  # its re-ranker was changed or removed since
        said = f"not measured: {before.run_id} cannot be served again: {scrub(str(error))}"
        return Verdict(False, said, required, is_blocking=False)
    seconds = time.monotonic() - started
    is_any = bool(new.any() or old.any())
    found = bootstrap_interval(new - ratio * old, seed=_SEED)
    checked.add(names.HELD_OUT_HIT_RATE, float(new.mean()), len(users))
    checked.add(names.HELD_OUT_PUBLISHED, float(old.mean()), len(users))
    checked.add(names.HELD_OUT_SECONDS, seconds, len(users))
    return Verdict(
        found.high >= 0 and is_any,
        f"of {len(users):,} hidden purchases {new.mean():.2%} are found, {old.mean():.2%} by "
        f"{before.run_id}; upper bound {found.high:+.2%}; {_cost(checked, seconds)}",
        required,
        is_blocking=len(users) >= ENOUGH and is_any and _is_fair(checked.run, before),
    )


def _is_fair(run: Run, before: Run) -> bool:
    """Return whether nothing but what makes lists decides the comparison.

    Co-purchases were counted with the hidden purchases, which favours them. So a run by another
    fusion is only warned of where the published run uses them.
    """
    old, new = (Fusion.from_dict(one.manifest.get("fusion")) for one in (before, run))
    return old == new or not old.uses(CO_PURCHASE)


def _cost(checked: Checked, seconds: float) -> str:
    now = dt.datetime.now(dt.UTC)
    night = max((now - checked.run.planned_at).total_seconds(), seconds, 1e-9)
    return f"{seconds:.1f} s, {seconds / night:.1%} of the night"


def _serve(
    parts: NightParts, connection: Connection, run: Run, users: Sequence[HeldOut], k: int
) -> PerUser:
    """Return 1 for each user whose hidden purchase is among the first k by the run, else 0."""
    hits = RunHits(parts.engine, run, open_searches(parts, run), is_new=True)
    vectors = _vectors(parts, connection, run, users)
    fusion = Fusion.from_dict(run.manifest.get("fusion"))
    found = np.zeros(len(users))
    for first in range(0, len(users), _USERS):
        some = users[first : first + _USERS]
        inputs = load_inputs(connection, run, [one.user_no for one in some], held_out=True)
        merge_inputs = inputs_of_purchases(
            connection,
            run,
            {one.user_no: frozenset(one.bought) for one in some},
            {one.user_no: one.bought[: fusion.history] for one in some},
            vectors,
            None,
            {},
        )
        merged = MergedUsers(used_inputs(run, inputs), hits, merge_inputs, check=lambda: None)
        for place, one in enumerate(some, start=first):
            merge = merged.merges.get(one.user_no)
            found[place] = merge is not None and any(
                pick.item_no == one.target for pick in merge.picks[:k]
            )
    return found


def _vectors(
    parts: NightParts, connection: Connection, run: Run, users: Sequence[HeldOut]
) -> Vectors:
    """Return vectors of the items and of the users without their hidden purchase."""
    if run.reranker_no is None:
        return NO_VECTORS
    maker = open_unchanged(parts, rerankers.load(connection, run.reranker_no))
    items = load_run_items(connection, run)
    newest = {one.user_no: one.bought for one in users}
    return Vectors(items, embed_users(parts.engine, newest, maker, items))
