"""Making a trial's k1, b live, and only what it really found better, on the catalog it measured."""

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import builds, trials
from gpt4rec_es.db.rows.trials import TrialRow
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.index.bm25 import Bm25Change, set_bm25
from gpt4rec_es.index.live import live_build


def promote(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    trial_no: int,
    *,
    actor: str,
    reason: str | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> tuple[TrialRow, Bm25Change]:
    """Make the k1, b that a trial recommends live; return the trial and the change.

    force: the best point, even if the trial says to keep what is live or measured other items.

    Raises:
        UsageError: there is no such trial, it says to keep what is live, or its values are live.
        ConflictError: the catalog or k1, b have changed since it was measured; or another process
            builds or tunes behind this alias.
        DataError: the clone did not prove to use the values; it was removed.
        DependencyError: a server cannot be reached.
    """
    with transaction(engine) as connection:
        trial = trials.load(connection, trial_no)
        measured = builds.load(connection, trial.build_no)
    now = live_build(engine, client, alias)
    if not force:
        _require_change(trial)
        _require_same(trial, measured, now)
    wanted = trial.recommended if trial.is_change else trial.best
    why = f"trial {trial_no}" + (", forced" if force else "") + (f": {reason}" if reason else "")
    change = set_bm25(engine, client, alias, wanted, actor=actor, reason=why, dry_run=dry_run)
    return trial, change


def _require_change(trial: TrialRow) -> None:
    if not trial.is_change:
        raise UsageError(
            f"Trial {trial.trial_no} changes nothing: {trial.verdict}",
            "Make its best point live all the same: --force.",
        )


def _require_same(trial: TrialRow, measured: builds.Build, now: builds.Build) -> None:
    """Pass if what is live has the items, analyzer, k1 and b that were live when it was measured.

    Raises:
        ConflictError: it has not.
    """
    if measured.alias != now.alias:
        raise ConflictError(
            f"Trial {trial.trial_no} was measured behind the alias {measured.alias!r}, this is "
            f"{now.alias!r}.",
            "Tune again, or --force.",
        )
    if not builds.is_same_content(measured, now):
        raise ConflictError(
            f"The catalog or analyzer changed since trial {trial.trial_no} was measured "
            f"(build {measured.build_no}, now {now.build_no}).",
            "Tune again (queries are kept: it takes about a minute), or --force.",
        )
    if now.bm25 not in {trial.live, trial.recommended}:
        raise ConflictError(
            f"k1, b are {now.bm25.k1:g}, {now.bm25.b:g} now; trial {trial.trial_no} was compared "
            f"with {trial.live.k1:g}, {trial.live.b:g}.",
            "Tune again, or --force.",
        )
