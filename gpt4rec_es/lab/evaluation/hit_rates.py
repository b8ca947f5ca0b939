"""Hit rate of a run's lists on later purchases, beside two simple methods.

For the demo; `gpt4rec evaluate` has intervals, splits and all methods.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from elasticsearch import Elasticsearch
from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import builds
from gpt4rec_es.db.rows.history import item_numbers, load_item_numbers, user_numbers
from gpt4rec_es.db.rows.lists import load_popular
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.stored_lists import ListsTable, load_item_nos
from gpt4rec_es.lab.evaluation.data import read_catalog
from gpt4rec_es.lab.evaluation.merging import merge_lists
from gpt4rec_es.lab.evaluation.methods import newest_titles
from gpt4rec_es.lab.evaluation.sources import ListSources
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.accuracy import Targets
from gpt4rec_es.metrics.labels import CategoryLabels
from gpt4rec_es.metrics.lists import Lists, as_lists
from gpt4rec_es.options.lists import Fusion


@dataclass(frozen=True, slots=True)
class HitRate:
    """Fraction of ``users`` with at least one new held-out item in their list."""

    method: str
    users: int
    hits: int

    @property
    def rate(self) -> float:
        """Return the fraction of users with a hit."""
        return self.hits / self.users


def hit_rates(
    engine: Engine, client: Elasticsearch, run: Run, held: Mapping[str, Collection[str]]
) -> list[HitRate]:
    """Return the hit rates of a run and of two simple methods, on the same users.

    held: user id -> item ids bought after the run; only items new to the user count. The simple
    methods are the newest title as the only query, and the run's frozen popular items; both leave
    out bought items.

    Raises:
        UsageError: no user has a new held-out item.
        DependencyError: a server cannot be reached.
    """
    with transaction(engine) as connection:
        eval_users = _eval_users(connection, run, held)
        users = [eval_user.user_no for eval_user in eval_users]
        stored = load_item_nos(connection, ListsTable(run.run_no), users)
        popular = load_popular(connection, run, None)
        build = builds.load(connection, run.build_no)
    targets = Targets([eval_user.targets for eval_user in eval_users])
    catalog = read_catalog(engine, client, build, None, CategoryLabels.LEAF)
    histories = [eval_user.history for eval_user in eval_users]

    def merged(queries: Sequence[Sequence[str]], sources: ListSources) -> Lists:
        return merge_lists(catalog, queries, histories, [(run.k, 1)], sources=sources)[run.k, 1]

    titles = [newest_titles(history, catalog.titles, 1) for history in histories]
    methods = {
        _name_of(run): as_lists(stored, run.k),
        "newest title as query": merged(titles, ListSources()),
        "popular items": merged([()] * len(eval_users), ListSources(popular=popular)),
    }
    return [
        HitRate(name, len(eval_users), int(targets.measure(lists)["hit_rate"].sum()))
        for name, lists in methods.items()
    ]


def _name_of(run: Run) -> str:
    """Return what made the lists of a run."""
    if Fusion.from_dict(run.manifest.get("fusion")).is_plain:
        return "generated queries"
    return f"recipe {run.manifest.get('recipe', {}).get('name', 'of the night')}"


def _eval_users(
    connection: Connection, run: Run, held: Mapping[str, Collection[str]]
) -> list[EvalUser]:
    """Return users with their purchases up to the run, and their new items after it.

    Unknown users and items are left out.
    """
    users = user_numbers(connection, held)
    items = item_numbers(connection, {item for bought in held.values() for item in bought})
    histories = load_item_numbers(connection, list(users.values()), run.history_version)
    eval_users = []
    for user_id, user in sorted(users.items(), key=lambda pair: pair[1]):
        history = histories.get(user, [])
        wanted = {items[item] for item in held[user_id] if item in items}
        if new := wanted.difference(history):
            eval_users.append(EvalUser(user, tuple(history), tuple(sorted(new))))
    return eval_users
