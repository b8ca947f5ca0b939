"""Hit rate of a run's lists on later purchases, beside simple methods.

For the demo; `gpt4rec evaluate` has intervals, splits and all methods.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from elasticsearch import Elasticsearch
from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import builds
from gpt4rec_es.db.rows.co_purchases import load_neighbours
from gpt4rec_es.db.rows.history import item_numbers, load_item_numbers, user_numbers
from gpt4rec_es.db.rows.lists import load_inputs, load_popular
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.stored_lists import ListsTable, load_item_nos
from gpt4rec_es.db.rows.texts import load_queries
from gpt4rec_es.lab.evaluation.data import read_catalog
from gpt4rec_es.lab.evaluation.merging import merge_lists
from gpt4rec_es.lab.evaluation.methods import newest_titles
from gpt4rec_es.lab.evaluation.sources import ListSources
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.accuracy import Targets
from gpt4rec_es.metrics.labels import CategoryLabels
from gpt4rec_es.metrics.lists import Lists, PerUser, as_lists
from gpt4rec_es.metrics.significance import Interval, bootstrap_interval, permutation_test
from gpt4rec_es.options.lists import CO_PURCHASE, Fusion
from gpt4rec_es.records import Neighbours

# Of intervals and tests.
_SEED = 1


@dataclass(frozen=True, slots=True)
class HitRate:
    """How well one method's lists meet the new held-out items of the users.

    hit_rate: fraction of users with at least one of them in the list; recall: mean fraction of them
    in the list. p_value: of the difference in hit rate from the run's lists, paired by user; None:
    these are the run's lists.
    """

    method: str
    hits: int
    hit_rate: Interval
    recall: Interval
    p_value: float | None = None


def hit_rates(
    engine: Engine, client: Elasticsearch, run: Run, held: Mapping[str, Collection[str]]
) -> list[HitRate]:
    """Return the hit rates of a run and of simple methods, on the same users; the run is first.

    held: user id -> item ids bought after the run; only items new to the user count. The others are
    the run's generated queries alone, its co-purchases alone (without those, left out), the newest
    title as the only query, and its popular items; all leave out bought items.

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
        queries = _queries(connection, run, users)
        neighbours = _neighbours(connection, run, eval_users)
    targets = Targets([eval_user.targets for eval_user in eval_users])
    catalog = read_catalog(engine, client, build, None, CategoryLabels.LEAF)
    histories = [eval_user.history for eval_user in eval_users]

    def merged(queries: Sequence[Sequence[str]], sources: ListSources) -> Lists:
        most = max(1, *map(len, queries))
        found = merge_lists(catalog, queries, histories, [(run.k, most)], sources=sources)
        return found[run.k, most]

    nothing: list[Sequence[str]] = [()] * len(eval_users)
    titles = [newest_titles(history, catalog.titles, 1) for history in histories]
    pairs = replace(Fusion.from_dict(run.manifest.get("fusion")), history=_HISTORY).changed(
        weights=((CO_PURCHASE, 1.0),), method="scores"
    )
    methods = {_name_of(run): as_lists(stored, run.k)}
    if neighbours:
        methods["co-purchases"] = merged(nothing, ListSources(pairs, neighbours=neighbours))
    if any(queries):
        methods["generated queries"] = merged(queries, ListSources())
    methods["newest title as query"] = merged(titles, ListSources())
    methods["popular items"] = merged(nothing, ListSources(popular=popular))
    return _measured(methods, targets)


# Newest purchases whose co-purchases count, where these are the only source.
_HISTORY = 20


def _measured(methods: Mapping[str, Lists], targets: Targets) -> list[HitRate]:
    found: list[HitRate] = []
    first: PerUser | None = None
    for name, lists in methods.items():
        values = targets.measure(lists)
        hits = values["hit_rate"]
        p_value = None if first is None else permutation_test(first - hits, seed=_SEED)
        first = hits if first is None else first
        hit_rate, recall = (
            bootstrap_interval(values[metric], seed=_SEED) for metric in ("hit_rate", "recall")
        )
        found.append(HitRate(name, int(hits.sum()), hit_rate, recall, p_value))
    return found


def _queries(connection: Connection, run: Run, users: Sequence[int]) -> list[list[str]]:
    """Return the queries that the run used, by user."""
    used = {user.user_no: user.used_queries for user in load_inputs(connection, run, users)}
    numbers = sorted({number for own in used.values() for number in own})
    texts = dict(zip(numbers, load_queries(connection, numbers), strict=True))
    return [[texts[number] for number in used.get(user, ())] for user in users]


def _neighbours(
    connection: Connection, run: Run, eval_users: Sequence[EvalUser]
) -> dict[int, Neighbours]:
    """Return the run's co-purchases of the users' newest items; {}: it has none."""
    if run.co_purchase_set_no is None:
        return {}
    items = {item for user in eval_users for item in user.history[-_HISTORY:]}
    return load_neighbours(connection, run.co_purchase_set_no, items)


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
