from datetime import UTC, datetime

from gpt4rec_es.db.rows.builds import Swap
from gpt4rec_es.index.bm25 import undoable
from gpt4rec_es.index.prune import recently_live


def swaps(*moves: tuple[int | None, int, str]) -> list[Swap]:
    """Oldest first: (from build, to build, action)."""
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    return [
        Swap(number, "items", before, after, action, "me", None, moment)
        for number, (before, after, action) in enumerate(moves, start=1)
    ]


def test_recently_live_builds_come_once_each_newest_first() -> None:
    history = swaps((None, 1, "reindex"), (1, 2, "bm25"), (2, 1, "undo"), (1, 3, "reindex"))
    assert recently_live(history[::-1], {1, 2, 3}) == [3, 1, 2]
    assert recently_live(history[::-1], {2, 3}) == [3, 2]


def test_undo_takes_back_one_set_after_the_other() -> None:
    history = swaps((None, 1, "reindex"), (1, 2, "bm25"), (2, 3, "bm25"))
    assert [swap.from_build_no for swap in undoable(history)] == [1, 2]
    history += swaps((3, 2, "undo"))
    assert [swap.from_build_no for swap in undoable(history)] == [1]
    history += swaps((2, 1, "undo"))
    assert undoable(history) == []


def test_going_back_to_used_values_is_a_set_like_any_other() -> None:
    history = swaps((None, 1, "reindex"), (1, 2, "bm25"), (2, 1, "bm25"))
    assert [swap.from_build_no for swap in undoable(history)] == [1, 2]


def test_a_reindex_or_a_rollback_ends_what_can_be_undone() -> None:
    history = swaps((None, 1, "reindex"), (1, 2, "bm25"), (2, 3, "reindex"))
    assert undoable(history) == []
    history = swaps((None, 1, "reindex"), (1, 2, "bm25"), (2, 1, "rollback"))
    assert undoable(history) == []
