"""Loads the inputs of the merge other than hits; see merge_inputs.py."""

from collections.abc import Sequence

from sqlalchemy import Connection

from gpt4rec_es.db.rows.co_purchases import load_neighbours
from gpt4rec_es.db.rows.history import load_item_numbers
from gpt4rec_es.db.rows.lists import load_bought, load_newest, load_popular, load_titles
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inputs.co_purchases import load_item_buyers
from gpt4rec_es.night.inputs.item_vectors import load_run_items, load_run_vectors
from gpt4rec_es.night.inputs.rules import load_shown
from gpt4rec_es.night.stages.merge_inputs import MergeInputs
from gpt4rec_es.options.lists import CO_PURCHASE, SEQUENCE, Fusion
from gpt4rec_es.ranking.features import NO_BUYERS
from gpt4rec_es.ranking.promotions import NO_PROMOTIONS
from gpt4rec_es.ranking.rules import ItemRules
from gpt4rec_es.ranking.vectors import NO_VECTORS, ItemVectors, Vectors
from gpt4rec_es.records import Neighbours


def load_merge_inputs(
    connection: Connection,
    run: Run,
    user_nos: Sequence[int],
    rules: ItemRules | None,
    items: ItemVectors | None = None,
) -> MergeInputs:
    """Return the merge inputs of these users, as frozen by the run, with the run's ``rules``.

    items: the run's item vectors, if they are loaded already; those of all items are loaded if they
    are a source.
    """
    fusion = Fusion.from_dict(run.manifest.get("fusion"))
    newest = {} if fusion.is_plain else _newest(connection, run, user_nos, fusion.history)
    vectors = NO_VECTORS
    if fusion.uses(SEQUENCE) and items is None:
        items = load_run_items(connection, run)
    if fusion.uses_reranker:
        vectors = load_run_vectors(connection, run, user_nos, items)
    bought = load_bought(connection, run, user_nos)
    shown = load_shown(connection, run, user_nos)
    return inputs_of_purchases(connection, run, bought, newest, vectors, rules, shown)


def inputs_of_purchases(
    connection: Connection,
    run: Run,
    bought: dict[int, frozenset[int]],
    newest: dict[int, list[int]],
    vectors: Vectors,
    rules: ItemRules | None,
    shown: dict[int, frozenset[int]],
) -> MergeInputs:
    """Return the merge inputs by the run's recipe of users with these purchases.

    newest: newest first; vectors: of the run's items and these users.
    """
    fusion = Fusion.from_dict(run.manifest.get("fusion"))
    most_bought = max((len(items) for items in bought.values()), default=0)
    neighbours: dict[int, Neighbours] = {}
    buyers = NO_BUYERS
    wanted = {item_no for items in newest.values() for item_no in items}
    if fusion.uses(CO_PURCHASE) and run.co_purchase_set_no is not None:
        neighbours = load_neighbours(connection, run.co_purchase_set_no, wanted)
    if fusion.method == "learned" and run.co_purchase_set_no is not None:
        buyers = load_item_buyers(connection, run.co_purchase_set_no)
    inputs = MergeInputs(
        run.k,
        fusion,
        bought if run.manifest["exclude_bought"] else {},
        load_popular(connection, run, None if rules else run.k + most_bought),
        newest,
        neighbours,
        load_titles(connection, run, wanted) if fusion.uses_titles else {},
        rules,
        shown,
        buyers,
        rules.promotions if rules else NO_PROMOTIONS,
        vectors,
    )
    return inputs.with_best_items()


def _newest(
    connection: Connection, run: Run, user_nos: Sequence[int], most: int
) -> dict[int, list[int]]:
    """Return each user's newest purchases, newest first, as planning froze them.

    A replay may ask for more than were frozen; then they are read as they are now.
    """
    if most <= run.manifest.get("frozen_history", 0):
        frozen = load_newest(connection, run.run_no, user_nos)
        return {user: items[:most] for user, items in frozen.items()}
    histories = load_item_numbers(connection, user_nos, run.history_version)
    return {user: items[: -most - 1 : -1] for user, items in histories.items()}
