"""Exports of held-out items (qrels) and of evaluated lists for other tools, with the shop's ids.

In TREC files users are topics. The search tools (Rated Ranking Evaluator, Quepid, Elasticsearch's
_rank_eval) need query texts: each user's generated queries, or the newest title of the history.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Engine

from gpt4rec_es.db.rows import evaluations, splits
from gpt4rec_es.elastic.queries import title_query
from gpt4rec_es.errors import UsageError
from gpt4rec_es.exports.export import ExportReport, safe_cell, word
from gpt4rec_es.files import open_target
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.privacy.export_register import registered
from gpt4rec_es.protocols import Progress, no_progress

_BATCH = 1000
# Requests per _rank_eval body, which Elasticsearch runs as one multi search.
_REQUESTS = 500


@dataclass(frozen=True, slots=True)
class _EvalUser:
    """One user in the shop's ids; texts: query texts, best first."""

    user_id: str
    history: list[str]
    targets: list[str]
    texts: list[str]


@dataclass(frozen=True, slots=True)
class QrelOptions:
    """Options of a qrels export.

    index: its name, for tools that search. k: cut-off of _rank_eval's recall. as_analyst: write the
    user ids that analysts see, else the shop's own. search: search options.
    """

    index: str = "items"
    k: int = 10
    as_analyst: bool = False
    search: SearchOptions = ANY_TERM


def export_qrels(
    engine: Engine,
    split: str,
    part: str,
    fmt: str,
    path: Path | None,
    options: QrelOptions,
    *,
    queries: Mapping[int, Sequence[str]] | None = None,
    progress: Progress = no_progress,
) -> ExportReport:
    """Write the held-out items of a split's part and return the number of users.

    queries: generated queries by user number; None: the newest title of the history is the query.
    path None: stdout. A file gets its name only when it is complete.

    Raises:
        UsageError: no such split, no users, or ids that the format cannot hold.
    """
    with (
        open_target(path) as file,
        registered(engine, path, fmt),
        engine.connect() as connection,
    ):
        row = splits.find(connection, split)
        count = 0

        def eval_users() -> Iterator[_EvalUser]:
            nonlocal count
            for eval_user in splits.stream_named_eval_users(
                connection, row.split_no, part, as_analyst=options.as_analyst
            ):
                count += 1
                if count % _BATCH == 0:
                    progress(count, None)
                newest = [eval_user.newest_title] if eval_user.newest_title else []
                texts = newest if queries is None else list(queries.get(eval_user.user_no, ()))
                yield _EvalUser(eval_user.user_id, eval_user.history, eval_user.targets, texts)

        _WRITERS[fmt](file, eval_users(), options)
        if not count:
            raise UsageError(f"The split {split!r} has no users in {part}.", "Choose --part.")
        progress(count, count)
    return ExportReport(split, "qrels", count, None if path is None else str(path))


def export_evaluation(
    engine: Engine,
    evaluation_no: int,
    k: int | None,
    path: Path | None,
    *,
    as_analyst: bool = False,
    progress: Progress = no_progress,
) -> ExportReport:
    """Write an evaluation's lists of length ``k`` (None: the longest) as a TREC run.

    Evaluators sort by score, so the score is k - rank. as_analyst: write the user ids that analysts
    see, else the shop's own.

    Raises:
        UsageError: no such evaluation, or it has no lists of that length.
    """
    with (
        open_target(path) as file,
        registered(engine, path, "trec"),
        engine.connect() as connection,
    ):
        row = evaluations.find(connection, evaluation_no)
        lengths = evaluations.load_lengths(connection, evaluation_no)
        longest = k or lengths[-1]
        if longest not in lengths:
            raise UsageError(
                f"Evaluation {evaluation_no} has no lists of {longest}.",
                f"It has: {', '.join(map(str, lengths))}.",
            )
        tag = word(f"{row.method}-{evaluation_no}")
        count = 0
        for batch in evaluations.stream_named_lists(
            connection, evaluation_no, longest, as_analyst=as_analyst, batch=_BATCH
        ):
            file.write(
                "".join(
                    f"{word(r.user_id)} Q0 {word(r.item_id)} {r.rank} {longest - r.rank} {tag}\n"
                    for r in batch
                ).encode()
            )
            count += len(batch)
            progress(count, None)
    where = None if path is None else str(path)
    return ExportReport(str(evaluation_no), "evaluated lists", count, where)


def _write_trec(file: BinaryIO, eval_users: Iterator[_EvalUser], _options: QrelOptions) -> None:
    for eval_user in eval_users:
        lines = (f"{word(eval_user.user_id)} 0 {word(item)} 1\n" for item in eval_user.targets)
        file.write("".join(lines).encode())


def _write_quepid(file: BinaryIO, eval_users: Iterator[_EvalUser], _options: QrelOptions) -> None:
    """Write Quepid's CSV; the items of users with the same query are merged."""
    ratings: dict[str, dict[str, None]] = {}
    for eval_user in eval_users:
        for query in eval_user.texts:
            ratings.setdefault(query, {}).update(dict.fromkeys(eval_user.targets))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["query", "docid", "rating"])
    for query, items in ratings.items():
        writer.writerows([safe_cell(query), safe_cell(item), 1] for item in items)
        file.write(out.getvalue().encode())
        out.seek(0)
        out.truncate()


def _write_rre(file: BinaryIO, eval_users: Iterator[_EvalUser], options: QrelOptions) -> None:
    """Write ratings for the Rated Ranking Evaluator; the template searches for ``$query``."""
    head = {"index": options.index, "id_field": "item_id", "query_placeholder": "$query"}
    file.write((json.dumps(head)[:-1] + ', "query_groups": [').encode())
    separator = "\n"
    for eval_user in eval_users:
        group = {
            "name": eval_user.user_id,
            "queries": [
                {"template": "query.json", "placeholders": {"$query": query}}
                for query in eval_user.texts
            ],
            "relevant_documents": {item: {"gain": 1} for item in eval_user.targets},
        }
        file.write((separator + json.dumps(group, ensure_ascii=False)).encode())
        separator = ",\n"
    file.write(b"\n]}\n")


def _write_rank_eval(file: BinaryIO, eval_users: Iterator[_EvalUser], options: QrelOptions) -> None:
    """Write bodies for _rank_eval, one per line; items that the user has bought are excluded."""
    requests = (request for eval_user in eval_users for request in _requests(eval_user, options))
    metric = {"recall": {"k": options.k, "relevant_rating_threshold": 1}}
    while batch := list(islice(requests, _REQUESTS)):
        body = {"requests": batch, "metric": metric}
        file.write((json.dumps(body, ensure_ascii=False) + "\n").encode())


def _requests(eval_user: _EvalUser, options: QrelOptions) -> Iterator[dict[str, Any]]:
    unwanted = [{"term": {"is_active": False}}, {"terms": {"item_id": eval_user.history}}]
    for rank, query in enumerate(eval_user.texts, start=1):
        wanted = title_query(query, options.search)
        yield {
            "id": eval_user.user_id if len(eval_user.texts) == 1 else f"{eval_user.user_id}#{rank}",
            "request": {"query": {"bool": {"must": [wanted], "must_not": unwanted}}},
            "ratings": [
                {"_index": options.index, "_id": item, "rating": 1} for item in eval_user.targets
            ],
        }


_WRITERS: dict[str, Callable[[BinaryIO, Iterator[_EvalUser], QrelOptions], None]] = {
    "trec": _write_trec,
    "rre": _write_rre,
    "quepid": _write_quepid,
    "rank-eval": _write_rank_eval,
}
