"""Examples of queries that find their target at another rank at another (k1, b).

The mean over users decides about a change; the examples illustrate it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.tuning.measure import TuningUser
from gpt4rec_es.records import Bm25

# Users whose hits are in memory at once.
_USERS = 2_000


class PartOfHits(Protocol):
    """Hits of some texts: see ``lab.bm25.grid.GridHits``."""

    @property
    def first(self) -> int:
        """Index of the first of these texts."""

    @property
    def item_nos(self) -> NDArray[np.int64]:
        """Item numbers as [points, texts, depth], -1 after the last hit."""


class GridSearch(Protocol):
    """Searches for texts at many points at once."""

    def search(
        self, texts: Sequence[str], points: Sequence[Bm25], depth: int
    ) -> Iterator[PartOfHits]:
        """Yield hits of ``texts`` in order, for some texts at a time."""


@dataclass(frozen=True, slots=True)
class MovedQuery:
    """A user's query and target, with the target's rank among the query's hits at two points.

    eval_user: index of the user. Ranks are 1-based; None: beyond the search depth.
    """

    eval_user: int
    query: str
    target: int
    before: int | None
    after: int | None

    @property
    def gain(self) -> float:
        """Return the difference of the reciprocal ranks."""
        return _reciprocal(self.after) - _reciprocal(self.before)


def moved_queries(
    eval_users: Sequence[TuningUser],
    search: GridSearch,
    before: Bm25,
    after: Bm25,
    *,
    depth: int = 100,
    most: int = 20,
) -> tuple[list[MovedQuery], list[MovedQuery]]:
    """Return the ``most`` queries that gain most from ``before`` to ``after``, and that lose most.

    Equal pairs of text and target of several users are shown once.
    """
    gained: list[MovedQuery] = []
    lost: list[MovedQuery] = []
    for first in range(0, len(eval_users), _USERS):
        found = list(
            _rank_changes(
                eval_users,
                range(first, min(first + _USERS, len(eval_users))),
                search,
                before,
                after,
                depth,
            )
        )
        gained = _top([*gained, *(move for move in found if move.gain > 0)], most, sign=-1)
        lost = _top([*lost, *(move for move in found if move.gain < 0)], most, sign=1)
    return gained, lost


def moved_rows(
    eval_users: Sequence[TuningUser],
    search: GridSearch,
    live: Bm25,
    best: Bm25,
    users: Sequence[int],
) -> list[Mapping[str, Any]]:
    """Return rows of ``trial_queries`` at ``best`` compared with ``live``; users: their numbers.

    Where live is the best itself, it is compared with the defaults.
    """
    gained, lost = moved_queries(eval_users, search, live if best != live else Bm25(), best)
    return [
        {
            "direction": direction,
            "place": place,
            "user_no": users[move.eval_user],
            "query": move.query,
            "item_no": move.target,
            "rank_before": move.before,
            "rank_after": move.after,
        }
        for direction, moves in (("gained", gained), ("lost", lost))
        for place, move in enumerate(moves, start=1)
    ]


def _rank_changes(
    eval_users: Sequence[TuningUser],
    places: Sequence[int],
    search: GridSearch,
    before: Bm25,
    after: Bm25,
    depth: int,
) -> Iterator[MovedQuery]:
    texts = list(dict.fromkeys(text for place in places for text in eval_users[place].queries))
    ranks: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
    for part in search.search(texts, [before, after], depth):
        one, other = part.item_nos.tolist()
        for offset, (old, new) in enumerate(zip(one, other, strict=True)):
            ranks[texts[part.first + offset]] = (_ranks(old), _ranks(new))
    for place in places:
        for text in dict.fromkeys(eval_users[place].queries):
            old, new = ranks[text]
            for target in sorted(eval_users[place].targets):
                if old.get(target) != new.get(target):
                    yield MovedQuery(place, text, target, old.get(target), new.get(target))


def _ranks(item_nos: list[int]) -> dict[int, int]:
    return {item_no: rank for rank, item_no in enumerate(item_nos, start=1) if item_no >= 0}


def _top(moves: list[MovedQuery], most: int, *, sign: int) -> list[MovedQuery]:
    ordered = sorted(
        moves, key=lambda move: (sign * move.gain, move.query, move.eval_user, move.target)
    )
    distinct = {(move.query, move.target): move for move in reversed(ordered)}
    kept = [move for move in ordered if distinct[move.query, move.target] is move]
    return kept[:most]


def _reciprocal(rank: int | None) -> float:
    return 0.0 if rank is None else 1 / rank
