"""All metrics of one set of lists, per user."""

from collections.abc import Collection, Mapping, Sequence

from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.labels import LabelSets
from gpt4rec_es.metrics.lists import Lists, PerUser, is_empty, list_length
from gpt4rec_es.metrics.variety import coverage, diversity, novelty


def measure(
    lists: Lists,
    targets: Sequence[Collection[int]],
    histories: Sequence[Sequence[int]],
    *,
    labels: Mapping[str, LabelSets],
    buyers: Mapping[int, int],
    n_users: int,
) -> dict[str, PerUser]:
    """Return every metric per user, by name.

    labels: by name (category, brand); each gives ``diversity_NAME`` and ``coverage_NAME``. buyers:
    users per item in training, of ``n_users``, for novelty.

    Raises:
        UsageError: there are no users, or a user has no target.
    """
    values = accuracy(lists, targets)
    for name, sets in labels.items():
        values[f"diversity_{name}"] = diversity(lists, sets)
        values[f"coverage_{name}"] = coverage(lists, histories, sets)
    values["novelty"] = novelty(lists, buyers, n_users)
    values["list_length"] = list_length(lists)
    values["empty_share"] = is_empty(lists)
    return values
