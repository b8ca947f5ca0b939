"""Queries from decoded beams: normalised, without near-duplicates, best first.

Beams of one prompt often differ only in size or colour; each near-duplicate would take places in
the list from a different query.
"""

import re
from collections.abc import Iterable

from gpt4rec_es.prompts.keys import normalise_query
from gpt4rec_es.records import Decoding, GeneratedQuery

_DECIMALS = 3
_TOKEN = re.compile(r"[^\W_]+")


def clean_query(text: str) -> str:
    """Return a decoded ``text`` as a query: normalised, without incomplete characters."""
    return normalise_query(text.replace("\ufffd", " "))


def search_tokens(text: str) -> tuple[str, ...]:
    """Return the case-folded letter-and-digit tokens of ``text``, by which queries are compared."""
    return tuple(_TOKEN.findall(text.casefold()))


def score_query(query: GeneratedQuery, decoding: Decoding) -> float:
    """Return the score by which queries are ranked: log-probability / length^length_penalty.

    With a ``prior_weight`` a, a x prior_logprob is subtracted before the division; what is likely
    for every user comes later.
    """
    logprob = query.sum_logprob
    if decoding.prior_weight and query.prior_logprob is not None:
        # Rounding of sums differs by batch; without it, ties would be decided by chance.
        logprob = round(logprob - decoding.prior_weight * query.prior_logprob, _DECIMALS)
    return float(logprob / max(query.n_tokens, 1) ** decoding.length_penalty)


def collapse(queries: Iterable[GeneratedQuery], decoding: Decoding) -> tuple[GeneratedQuery, ...]:
    """Return at most ``decoding.num_queries`` queries by ``score_query``, best first.

    Ties are ordered by the bytes of the text. A query is dropped if its tokens equal those of a
    better one, if the Jaccard similarity of their token sets reaches
    ``decoding.query_dedup_jaccard``, if it is empty, or if it has no token while another one has.
    """
    ranked = sorted(
        (query for query in queries if query.text),
        key=lambda query: (-score_query(query, decoding), query.text.encode()),
    )
    kept: list[GeneratedQuery] = []
    token_sets: list[frozenset[str]] = []
    seen: set[tuple[str, ...]] = set()
    for query in ranked:
        tokens = search_tokens(query.text)
        as_set = frozenset(tokens)
        if not tokens or tokens in seen:
            continue
        if any(_jaccard(as_set, other) >= decoding.query_dedup_jaccard for other in token_sets):
            continue
        seen.add(tokens)
        kept.append(query)
        token_sets.append(as_set)
        if len(kept) == decoding.num_queries:
            break
    return tuple(kept or ranked[:1])


def _jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right)
