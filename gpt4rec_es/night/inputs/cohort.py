"""Freeze a run's inputs: each user's prompt, cut-off and fallback, and the popular items.

It runs in the planner's transaction, so all inputs come from one snapshot.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection

from gpt4rec_es.db.rows import cohort as rows
from gpt4rec_es.db.rows.history import Bought, count_users, stream_histories
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.prompts.keys import hash128, normalise_query
from gpt4rec_es.prompts.template import display_title
from gpt4rec_es.protocols import Progress, QueryGenerator
from gpt4rec_es.retrieval.query_filters import TitleTest

# Maximum number of titles in memory.
_SLICE = 10_000


def stage_cohort(
    connection: Connection,
    generator: QueryGenerator | None,
    history_version: int,
    newest: int,
    may_search: TitleTest,
    progress: Progress,
) -> int:
    """Write every user's frozen input to a temporary table; return the number of users.

    generator: None: no user gets a prompt. newest: number of newest purchases frozen for the
    sources other than queries. may_search: whether a title may be a query; the fallback query is
    the newest such title.
    """
    rows.create_staged_users(connection)
    total = count_users(connection)
    done = 0

    def inputs() -> Iterator[tuple[object, ...]]:
        nonlocal done
        for user_no, _, history in stream_histories(connection, history_version=history_version):
            done += 1
            if done % 1000 == 0:
                progress(done, total)
            newest_items = [item_no for item_no, _, _ in history[: -newest - 1 : -1]]
            yield (user_no, *frozen_input(generator, history, may_search), newest_items)

    # Histories are read and cohort rows written on one connection, so both see one snapshot; a
    # batch is copied between two reads of the cursor.
    batch: list[tuple[object, ...]] = []
    for row in inputs():
        batch.append(row)
        if len(batch) == 5000:
            rows.stage_users(connection, batch)
            batch = []
    rows.stage_users(connection, batch)
    progress(done, total)
    return done


class FrozenInput(NamedTuple):
    """What planning freezes of a history, in order of ``USER_COLUMNS``; None: there is none."""

    prompt_hash: bytes | None
    prompt: str | None
    n_tokens: int | None
    item_nos: list[int]
    n_bought: int
    last_hash: bytes | None
    last_text: str | None


def frozen_input(
    generator: QueryGenerator | None, history: list[Bought], may_search: TitleTest
) -> FrozenInput:
    """Return what is frozen of one history, oldest first; without a generator, no prompt."""
    titled = [(item_no, title) for item_no, title, _ in history if title]
    prompt = generator.write_prompt([title for _, title in titled]) if generator else None
    # A prompt is missing for one of two reasons: no generator, or no title that shows.
    is_usable = prompt is not None or any(display_title(title) for _, title in titled)
    allowed = (title for _, title in reversed(titled) if is_usable and may_search(title))
    last = next(map(normalise_query, allowed), None)
    last_title = (len(history), None if last is None else hash128(last), last)
    if prompt is None:
        return FrozenInput(None, None, None, [], *last_title)
    used = [item_no for item_no, _ in titled[len(titled) - prompt.used :]]
    return FrozenInput(hash128(prompt.text), prompt.text, prompt.n_tokens, used, *last_title)


def freeze_popular(connection: Connection, run: Run) -> None:
    """Freeze the most bought items, as many as the fallback may need for any user."""
    rules = run.manifest.get("rules", {})
    excluded = rows.most_bought(connection, run.run_no)
    excluded += rows.total_k(connection, rules.get("shown_runs", []))
    most, per_brand = run.k + excluded, None
    if cap := rules.get("max_per_brand"):
        # Of one brand, a list takes at most the cap and skips the user's excluded items; brands
        # that reached their cap, at most k // cap, are skipped further.
        per_brand = cap + excluded
        most += (run.k // cap) * per_brand
    rows.freeze_popular(connection, run.run_no, run.history_version, most=most, per_brand=per_brand)


def freeze_titles(
    connection: Connection, run_no: int, history_version: int, may_search: TitleTest
) -> int:
    """Store each bought item's searchable title as a query; return the number of items."""
    rows.create_staged_titles(connection)
    last = 0
    while found := rows.bought_titles(connection, history_version, after=last, most=_SLICE):
        last = found[-1][0]
        queries = [
            (item_no, normalise_query(title)) for item_no, title in found if may_search(title)
        ]
        rows.stage_titles(
            connection, ((item_no, hash128(query), query) for item_no, query in queries)
        )
    return rows.freeze_titles(connection, run_no)
