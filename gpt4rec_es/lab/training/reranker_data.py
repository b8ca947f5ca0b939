"""Data of a re-ranker from a split: metadata of all items, training histories, validation users."""

from dataclasses import dataclass

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.history import data_versions
from gpt4rec_es.db.rows.items import load_ids, unfindable
from gpt4rec_es.db.rows.metadata import load_attributes, load_item_fields
from gpt4rec_es.errors import DataError
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.training.numbered_split import NumberedSplit, number_split
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.reading import Reading, Serving, learn_reading


@dataclass(frozen=True, eq=False)
class RerankerData(NumberedSplit):
    """Data of one split with the metadata of its items and users.

    serving: what a saved re-ranker needs to read items of another day.
    """

    data: RecommenderData
    serving: Serving


def read_reranker_data(
    engine: Engine,
    split_name: str,
    *,
    learn_validation: bool = False,
    reading: Reading | None = None,
) -> RerankerData:
    """Return the data of a split; nothing of its test part is among them.

    learn_validation: see ``RerankerOptions``. reading: of a trained one; None: anew.

    Raises:
        UsageError: there is no such split.
        DataError: the split leaks, or has no validation users.
    """
    row, split = load_split(engine, split_name)
    if not split.validation and not learn_validation:
        raise DataError(
            f"The split {split_name} has no validation users to choose the best epoch by.",
            "Make one with a validation part.",
        )
    with transaction(engine) as connection:
        fields = load_item_fields(connection)
        attributes = load_attributes(connection, split.train)
        item_ids, hidden = load_ids(connection), unfindable(connection)
        versions = data_versions(connection)
    item_nos = [one.item_no for one in fields]
    numbered = number_split(row, split, item_nos, hidden, learn_validation=learn_validation)
    known = [attributes.get(user_no, {}) for user_no in numbered.users]
    reading = reading or learn_reading(fields, known)
    data = RecommenderData(reading.items(fields), numbered.histories, reading.users(known))
    serving = Serving(tuple(item_ids[item_no] for item_no in numbered.items), reading)
    facts = {
        **numbered.facts,
        "item_fields": list(data.items.fields),
        "user_fields": [] if data.users is None else list(data.users.fields),
        **versions,
    }
    return RerankerData(**{**vars(numbered), "facts": facts}, data=data, serving=serving)
