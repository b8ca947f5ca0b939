"""One search's part of an msearch answer: is it whole, and what does it say."""

from typing import Any

from gpt4rec_es.elastic.reasons import reason_of
from gpt4rec_es.errors import DataError, DependencyError

# Item numbers and scores, best first.
Hits = tuple[tuple[int, ...], tuple[float, ...]]


def fault_of(answer: Any, text: str, index: str) -> str | None:
    """Return why ``answer`` cannot be used now, or None if it is whole.

    Raises:
        DataError: it never can: the search for ``text`` was refused, or the index is gone.
        DependencyError: the credentials may not search the index.
    """
    status = answer.get("status")
    if status != 200 or "error" in answer:
        return _refusal(status, answer.get("error"), text, index)
    if answer.get("timed_out") is not False:
        return "a search was cut off by a time limit"
    shards = answer.get("_shards", {})
    # Zero hits are left out of a filtered answer, so what remains must prove that they are zero.
    if (
        shards.get("failed") != 0
        or not shards.get("total")
        or (shards.get("successful") != shards["total"])
    ):
        return f"a search reached {shards.get('successful', 0)} of {shards.get('total', 1)} shards"
    return None


def read_hits(answer: dict[str, Any]) -> Hits:
    """Return the hits of a whole answer."""
    # Lists within, because they are a third faster than generators, and this is most of the work.
    values = [hit["sort"] for hit in answer.get("hits", {}).get("hits", ())]
    return tuple([number for _, _, number in values]), tuple([score for score, _, _ in values])


def _refusal(status: Any, error: Any, text: str, index: str) -> str:
    reason = reason_of(error)
    if status == 404:
        raise DataError(
            f"The index {index} is gone: {reason}.", "`gpt4rec reindex` makes a new one."
        )
    if status in {401, 403}:
        raise DependencyError(f"Elasticsearch does not allow searches of {index}: {reason}.")
    if isinstance(status, int) and 400 <= status < 500 and status != 429:
        raise DataError(f"Elasticsearch refuses the search for {text!r}: {reason}.")
    return f"{status}: {reason}"
