"""Generated queries of a split's evaluation users, stored under the keys of nights.

No run is planned and no partition created. Prompts, generations and queries are shared with nights
and other evaluations.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, Engine

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import retrying, transaction
from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows import splits as rows
from gpt4rec_es.db.rows.first_queries import FirstQueries
from gpt4rec_es.db.rows.generations import (
    load_generated,
    store_generations,
    without_generation,
)
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.db.rows.items import load_titles
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.db.rows.texts import decoding_number, load_prompts, prompt_numbers, store_new
from gpt4rec_es.db.rows.title_generations import load_active_titles
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.prompts.catalog_titles import catalog_titles, generation_settings
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.protocols import Progress, QueryGenerator, no_progress
from gpt4rec_es.records import Decoding, GeneratedQuery, Prompt

T = TypeVar("T")

# Evaluation users whose prompts are in memory at once.
_CASES = 5000
# Prompts per transaction: the maximum lost by a kill, and enough to fill a GPU.
_PROMPTS = 512


@dataclass(frozen=True, slots=True)
class EvalUserQueries:
    """The generated queries of one user, best first; empty: no usable history, or no query."""

    user_no: int
    queries: tuple[GeneratedQuery, ...]


class WrittenQueries(NamedTuple):
    """Texts of the queries of several users, best first, and the likelihood of each."""

    texts: list[list[str]]
    likelihoods: list[list[float]]

    @classmethod
    def of(cls, queries: Sequence[Sequence[GeneratedQuery]]) -> "WrittenQueries":
        """Return the queries of users; a user may have none."""
        return cls(
            [[query.text for query in own] for own in queries],
            [[query.likelihood for query in own] for own in queries],
        )


def split_queries(
    engine: Engine,
    generator: QueryGenerator,
    decoding: Decoding,
    split: SplitRow,
    eval_users: Sequence[EvalUser],
    progress: Progress = no_progress,
) -> list[EvalUserQueries]:
    """Return the queries of ``eval_users``, of ``split``, in order; generates missing ones.

    Called again after a kill it continues. progress counts distinct prompts.

    Raises:
        UsageError: a prompt does not fit the generator.
        DependencyError: Postgres was unreachable for too long.
    """
    with transaction(engine) as connection:
        if decoding.mode == "titles":
            choice = catalog_titles(load_active_titles(connection))
            generator = choosing = generator.choosing(choice)
            settings = generation_settings(
                decoding, choice.content_hash, reads_vectors=choosing.reads_vectors
            )
        else:
            settings = generation_settings(decoding, None)
        decoding_no = decoding_number(connection, hash128(settings), settings)
        # The purchases that the night would use in prompts.
        titles = load_titles(connection)
    prompt_nos: list[int | None] = []
    for batch in _batches(eval_users, _CASES):
        prompts = [
            generator.write_prompt(
                [
                    titles[item]
                    for item in deduplicate_keep_last(eval_user.history)
                    if item in titles
                ]
            )
            for eval_user in batch
        ]
        prompt_nos += retrying(engine, partial(_store_prompts, split=split, prompts=prompts))
    key = (generator.content_hash, decoding_no)
    total = len(_distinct(prompt_nos))
    missing = _missing(engine, prompt_nos, key)
    done = total - len(missing)
    progress(done, total)
    for numbers in _batches(missing, _PROMPTS):
        _generate(engine, generator, decoding, decoding_no, numbers)
        done += len(numbers)
        progress(done, total)
    found = _load(engine, prompt_nos, key)
    return [
        EvalUserQueries(eval_user.user_no, found.get(number, ()) if number is not None else ())
        for eval_user, number in zip(eval_users, prompt_nos, strict=True)
    ]


def queries_of_part(
    engine: Engine,
    generator_name: str,
    open_generator: Callable[[Generator], QueryGenerator],
    decoding: Decoding,
    split_name: str,
    part: str,
    progress: Progress = no_progress,
) -> dict[int, list[str]]:
    """Return the query texts of every user of a part, by user number, best first.

    Raises:
        UsageError: there is no such split or generator.
        DataError: the split leaks.
    """
    with transaction(engine) as connection:
        row = generators.get(connection, generator_name)
    split_row, split = load_split(engine, split_name, (part,))
    written = split_queries(
        engine, open_generator(row), decoding, split_row, getattr(split, part), progress
    )
    return {eval_user.user_no: [query.text for query in eval_user.queries] for eval_user in written}


def _store_prompts(
    connection: Connection, split: SplitRow, prompts: Sequence[Prompt | None]
) -> list[int | None]:
    """Store new prompts, pin all for the split, and return their numbers (None: no prompt)."""
    hashes = [None if prompt is None else hash128(prompt.text) for prompt in prompts]
    # Prevents a prune from deleting an existing prompt before it is pinned.
    locks.share_lock(connection, locks.TEXTS)
    store_new(
        connection,
        "prompts",
        ["prompt_hash"],
        ["prompt_hash", "text", "n_tokens"],
        (
            (key, prompt.text, prompt.n_tokens)
            for key, prompt in zip(hashes, prompts, strict=True)
            if key is not None and prompt is not None
        ),
    )
    numbers = prompt_numbers(connection, [key for key in hashes if key is not None])
    rows.keep_prompts(connection, split.split_no, numbers.values())
    return [None if key is None else numbers[key] for key in hashes]


def _missing(engine: Engine, prompt_nos: Sequence[int | None], key: tuple[str, int]) -> list[int]:
    """Return the distinct prompts without a generation, longest first, for batching."""
    found: list[tuple[int, int]] = []
    with transaction(engine) as connection:
        for numbers in _batches(_distinct(prompt_nos), _CASES):
            found += without_generation(connection, numbers, *key)
    return [number for _, number in sorted(found, reverse=True)]


def _generate(
    engine: Engine,
    generator: QueryGenerator,
    decoding: Decoding,
    decoding_no: int,
    prompt_nos: Sequence[int],
) -> None:
    with transaction(engine) as connection:
        texts = load_prompts(connection, prompt_nos)
    generations = generator.generate(texts, decoding)
    hashes = {query.text: hash128(query.text) for g in generations for query in g.queries}
    pairs = list(zip(prompt_nos, generations, strict=True))
    retrying(
        engine,
        lambda connection: store_generations(
            connection, generator.content_hash, decoding_no, pairs, hashes
        ),
    )


def _load(
    engine: Engine, prompt_nos: Sequence[int | None], key: tuple[str, int]
) -> dict[int, tuple[GeneratedQuery, ...]]:
    found: dict[int, tuple[GeneratedQuery, ...]] = {}
    # Many users have equal texts: share one object per text.
    texts: dict[str, str] = {}
    with transaction(engine) as connection:
        for numbers in _batches(_distinct(prompt_nos), _CASES):
            for prompt_no, queries in load_generated(connection, numbers, *key):
                found[prompt_no] = tuple(
                    replace(query, text=texts.setdefault(query.text, query.text))
                    for query in queries
                )
    return found


def _distinct(prompt_nos: Sequence[int | None]) -> list[int]:
    return sorted({number for number in prompt_nos if number is not None})


def _batches(members: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(members), size):
        yield members[first : first + size]


def count_first_queries(queries: Iterable[Sequence[str]]) -> FirstQueries:
    """Return how much the first of each user's queries differ; users without queries are left out.

    As the night counts them, in db/rows/first_queries.py.
    """
    firsts = Counter(own[0] for own in queries if own)
    top = max(firsts.values()) / firsts.total() if firsts else None
    return FirstQueries(len(firsts), top)
