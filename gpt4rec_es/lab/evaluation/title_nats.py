"""How surely a generator chooses the next title: nats per title, beside two marks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import log
from typing import Any

import numpy as np

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.title_nats import popularity_nats
from gpt4rec_es.prompts.catalog_titles import catalog_titles
from gpt4rec_es.prompts.template import display_title
from gpt4rec_es.protocols import Bars, Progress, QueryGenerator, no_progress
from gpt4rec_es.records import PromptForm

# Prompts in memory at once.
_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class TitleNats:
    """Means over users of -log p of the first held-out title, among the titles of the catalog.

    half_interval: half the 95 % interval of ``generator``. popularity: by a table of purchases,
    one added to each title. uniform: by chance.
    """

    generator: float
    half_interval: float
    popularity: float
    uniform: float
    users: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, rounded."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def title_nats(
    generator: QueryGenerator,
    eval_users: Sequence[EvalUser],
    titles: Mapping[int, str],
    train: Mapping[int, Sequence[int]],
    progress: Progress = no_progress,
) -> TitleNats | None:
    """Return the nats per title of ``generator``; None: it has no probabilities, or no user counts.

    titles: of the items that can be recommended. train: purchases by user. Users whose first target
    has no title count as little as those without a prompt: not at all.
    """
    displays = {item: display for item, one in titles.items() if (display := display_title(one))}
    catalog = catalog_titles(displays.values())
    try:
        choosing = generator.choosing(catalog)
    except UsageError:
        return None
    cases = [user for user in eval_users if user.targets[0] in displays]
    found: list[float] = []
    targets: list[str] = []
    for first in range(0, len(cases), _BATCH):
        prompts, chosen = [], []
        for user in cases[first : first + _BATCH]:
            history = deduplicate_keep_last(user.history)
            prompt = generator.write_prompt([titles[item] for item in history if item in titles])
            if prompt is not None:
                prompts.append(prompt.text)
                chosen.append(displays[user.targets[0]])
        found += choosing.title_logprobs(prompts, chosen)
        targets += chosen
        progress(min(first + _BATCH, len(cases)), len(cases))
    if not found:
        return None
    bought = Counter(displays[item] for own in train.values() for item in own if item in displays)
    return TitleNats(
        -float(np.mean(found)),
        1.96 * float(np.std(found)) / len(found) ** 0.5,
        popularity_nats(bought, len(catalog.texts), targets),
        log(len(catalog.texts)),
        len(found),
    )


class NatsPerTitle:
    """The nats per title of the generators of one evaluation, each measured once."""

    def __init__(
        self,
        eval_users: Sequence[EvalUser],
        catalog: EvaluationCatalog,
        train: Mapping[int, Sequence[int]],
        bars: Bars,
    ) -> None:
        """Set the users, catalog and training data."""
        self._eval_users, self._train, self._bars = eval_users, train, bars
        self._titles = {
            item: title for item, title in catalog.titles.items() if item in catalog.active
        }
        self._known: dict[tuple[str, PromptForm], dict[str, Any] | None] = {}

    def of(self, generator: QueryGenerator) -> dict[str, Any] | None:
        """Return the fields of ``TitleNats``; None: the generator has no probabilities."""
        key = (generator.content_hash, generator.prompt_form)
        if key not in self._known:
            with self._bars("Reading held-out titles", "users") as progress:
                nats = title_nats(generator, self._eval_users, self._titles, self._train, progress)
            self._known[key] = None if nats is None else nats.as_dict()
        return self._known[key]
