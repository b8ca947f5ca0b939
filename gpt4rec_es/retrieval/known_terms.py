"""Count terms of a text that no title of an index has, or no searched field.

The term vectors API analyzes texts as artificial documents and returns document frequencies.
"""

from collections.abc import Sequence

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from gpt4rec_es.elastic.client import client_url
from gpt4rec_es.elastic.errors import is_transient, plain_error
from gpt4rec_es.elastic.index_fields import searchable_fields
from gpt4rec_es.elastic.queries import TITLE, search_text, text_field
from gpt4rec_es.elastic.retries import Backoff, without_retries
from gpt4rec_es.errors import DataError, DependencyError, UsageError

_PER_REQUEST = 250


def count_unknown(
    client: Elasticsearch,
    index: str,
    texts: Sequence[str],
    fields: Sequence[str] = (),
    *,
    backoff: Backoff | None = None,
) -> list[tuple[int, int]]:
    """Return (terms that no title has, terms) of each text, in order; each term counts once.

    fields: searched beside the title; a term that one of them has is known. As in searches, only
    the first 64 words of a text are used.

    Raises:
        DataError: the index is deleted.
        DependencyError: the server did not answer.
    """
    client = without_retries(client)
    asked = [TITLE, *(_existing(client, index, fields) if fields else ())]
    counts: list[tuple[int, int]] = []
    for start in range(0, len(texts), _PER_REQUEST):
        batch = texts[start : start + _PER_REQUEST]
        counts += _ask(client, index, batch, asked, backoff or Backoff(attempts=7))
    return counts


def _existing(client: Elasticsearch, index: str, fields: Sequence[str]) -> list[str]:
    """Return the fields that the index has; one built before a field existed refuses its texts."""
    try:
        return searchable_fields(client, index, fields)
    except UsageError as error:  # it is gone
        raise DataError(error.message, "Start a new night.") from error


def _ask(
    client: Elasticsearch,
    index: str,
    texts: Sequence[str],
    fields: Sequence[str],
    backoff: Backoff,
) -> list[tuple[int, int]]:
    docs = [
        {
            "_index": index,
            "doc": dict.fromkeys(fields, search_text(text)),
            "fields": [text_field(field) for field in fields],
            "term_statistics": True,
            "field_statistics": False,
            "positions": False,
            "offsets": False,
        }
        for text in texts
    ]
    failures = 0
    while True:
        try:
            answers = client.mtermvectors(docs=docs).body.get("docs", [])
            problem = f"{len(answers)} answers to {len(docs)} questions"
            if len(answers) == len(docs) and not any("error" in answer for answer in answers):
                return [_count(answer) for answer in answers]
            error_of = next((answer["error"] for answer in answers if "error" in answer), None)
            problem = problem if error_of is None else str(error_of.get("reason"))
            if error_of and error_of.get("type") == "index_not_found_exception":
                raise DataError(f"{problem}.", "Start a new night.")
        except (ApiError, TransportError) as error:
            if not is_transient(error):
                raise plain_error(error, client) from error
            problem = plain_error(error, client).message.rstrip(".")
        failures += 1
        if not backoff.wait(failures):
            raise DependencyError(
                f"Elasticsearch at {client_url(client)} does not say which terms {index} has: "
                f"{problem}.",
                "Try again when it has recovered.",
            )


def _count(answer: dict[str, dict[str, dict[str, dict[str, dict[str, int]]]]]) -> tuple[int, int]:
    # All fields have one analyzer, hence the same terms.
    is_known: dict[str, bool] = {}
    for field in answer.get("term_vectors", {}).values():
        for term, statistics in field["terms"].items():
            is_known[term] = is_known.get(term, False) or bool(statistics.get("doc_freq"))
    return sum(not known for known in is_known.values()), len(is_known)
