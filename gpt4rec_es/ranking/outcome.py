"""Input and result records of a merge, and the outcome of a user.

``Outcome.FAILED`` is not decided here, because there is no merge then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gpt4rec_es.records import Outcome, SearchResult, Source

ShortReason = Literal[
    "no_queries", "empty_queries", "no_hits", "all_bought", "exhausted_queries", "exhausted_sources"
]


class Pick(NamedTuple):
    """One row of a list, after its rank; fields are None where they do not apply.

    query_rank: of the generated query that found it. hit_rank: 1-based place among the hits of that
    query or title, or among the neighbours of a bought item; score: the BM25 score, or the
    similarity (by vectors: the cosine). from_item_no: the bought item that it is a neighbour of, or
    whose title found it.
    fused_score: the score that orders fused lists. rerank_score: the re-ranker's score minus its
    mean over the candidates; merge_rank: place among the candidates without a re-ranker.
    """

    item_no: int
    source: Source
    query_rank: int | None = None
    hit_rank: int | None = None
    score: float | None = None
    from_item_no: int | None = None
    fused_score: float | None = None
    merge_rank: int | None = None
    rerank_score: float | None = None


@dataclass(frozen=True, slots=True)
class QueryHits:
    """The hits of one generated query; ``query_rank`` is its 1-based rank in the generation.

    likelihood: see ``GeneratedQuery``; 1: unknown. near: hits by vectors; None: not searched.
    """

    query_rank: int
    result: SearchResult
    likelihood: float = 1.0
    near: SearchResult | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """A skipped hit. ``query_rank`` None: a hit of the last-title query.

    reason: bought, already taken, or the name of a rule.
    """

    query_rank: int | None
    hit_rank: int
    item_no: int
    reason: str


# Cause of a pin that was left out because a list has no place for it.
NO_PLACE = "no place"


class LeftOut(NamedTuple):
    """A place that a pin was to have in a list and has not.

    cause: the rule that excluded the item, or ``NO_PLACE``.
    """

    rule: str
    cause: str


@dataclass(frozen=True, slots=True)
class Merge:
    """One user's list, or the queries that must be searched deeper first.

    picks: in order of rank, at most k, pinned items first. n_queries: queries with a token left
    after analysis. n_found: picks of sources, before fallbacks. short_reason: why pinned and found
    items are fewer than k. needs_deeper: ranks of
    queries whose hits ended too early; needs_deeper_last_title the same for the last-title query,
    needs_deeper_titles for the titles of bought items, by number. While one of them is set, there
    are no picks. removed: skipped hits; contributions: the part of each source in the score of each
    fused pick; both only if requested. ruled_out: items excluded by rules -> name of the rule.
    n_pinned: number of pinned items; promoted: listed items that a pin or a boost placed -> name of
    the rule; left_out: places that pins were to have and have not.
    """

    picks: tuple[Pick, ...]
    n_queries: int
    n_found: int
    short_reason: ShortReason | None
    needs_deeper: tuple[int, ...] = ()
    needs_deeper_last_title: bool = False
    removed: tuple[Removed, ...] = ()
    needs_deeper_titles: tuple[int, ...] = ()
    contributions: tuple[tuple[float, ...], ...] = ()
    ruled_out: Mapping[int, str] = field(default_factory=dict)
    n_pinned: int = 0
    promoted: Mapping[int, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether this is the list of unlimited search depth."""
        return not (self.needs_deeper or self.needs_deeper_last_title or self.needs_deeper_titles)


def decide_outcome(merge: Merge, *, n_bought: int, has_prompt: bool) -> Outcome:
    """Return the outcome of a user with ``n_bought`` purchases and the list ``merge``.

    ``has_prompt`` False: none of the bought items has a usable title.

    Raises:
        ValueError: the merge is not complete, so nothing is decided yet.
    """
    if not merge.is_complete:
        raise ValueError("an incomplete merge has no outcome: search deeper first")
    if not n_bought:
        return Outcome.NO_HISTORY
    if merge.n_found:  # also without a prompt, because other sources need no titles
        return Outcome.OK
    if not has_prompt:
        return Outcome.NO_TITLES
    # A generation without any query counts as queries without tokens.
    return Outcome.NO_HITS if merge.n_queries else Outcome.EMPTY_QUERY
