from collections import Counter

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.splits.histories import (
    PAPER,
    History,
    Preparation,
    baskets_of,
    deduplicate_keep_last,
    order_histories,
    prepare,
)


def test_events_are_put_in_time_order_and_ties_keep_the_stored_order() -> None:
    stored = [(7, [(3, 20.0), (1, 10.0), (9, 10.0), (2, 10.0)])]
    assert order_histories(stored, has_times=True) == [
        History(7, (1, 9, 2, 3), (10.0, 10.0, 10.0, 20.0))
    ]
    assert order_histories(stored, has_times=False)[0].times is None


def test_only_ties_are_shuffled_and_all_their_orders_occur() -> None:
    stored = [(user, [(1, 10.0), (2, 10.0), (3, 10.0), (4, 20.0)]) for user in range(600)]
    orders = Counter(
        history.items for history in order_histories(stored, has_times=True, shuffle=1)
    )
    assert len(orders) == 6
    assert min(orders.values()) > 50
    assert {items[-1] for items in orders} == {4}


def test_a_shuffle_is_repeatable_differs_by_seed_and_ignores_other_users() -> None:
    stored = [(user, [(item, 0.0) for item in range(20)]) for user in range(3)]
    first = order_histories(stored, has_times=True, shuffle=1)
    assert order_histories(stored, has_times=True, shuffle=1) == first
    assert order_histories(stored[2:], has_times=True, shuffle=1) == first[2:]
    assert order_histories(stored, has_times=True, shuffle=2) != first
    assert first[0].items != first[1].items


def test_an_order_without_ties_is_never_shuffled() -> None:
    stored = [(1, [(item, float(item)) for item in range(20)])]
    shuffled = order_histories(stored, has_times=False, shuffle=5)
    assert shuffled == order_histories(stored, has_times=False)


def test_the_papers_preparation_drops_bad_titles_before_it_counts_the_newest() -> None:
    items = (1, 2, 3, *range(10, 26), 2)
    times = tuple(float(n) for n in range(len(items)))
    lengths = {1: 400, 2: 30, 3: 401, **dict.fromkeys(range(10, 26), 10)}
    del lengths[12]
    (prepared,) = prepare([History(5, items, times)], PAPER, lengths)
    # Left: 1, 10, 11, 13 to 25, and the later of the two events of 2.
    assert prepared.items == (11, *range(13, 26), 2)
    assert prepared.times == (4.0, *(float(n) for n in range(6, 19)), 19.0)
    assert baskets_of(prepared.times) == tuple(range(15))


def test_once_keeps_the_latest_event_and_can_be_left_out() -> None:
    history = History(1, (4, 5, 4), None)
    assert prepare([history], Preparation(), {})[0].items == (5, 4)
    assert prepare([history], Preparation(once=False), {}) == [history]


def test_baskets_number_the_moments_of_what_is_kept() -> None:
    assert baskets_of((1.0, 1.0, 2.5, 2.5, 2.5, 9.0)) == (0, 0, 1, 1, 1, 2)
    assert baskets_of(()) == ()
    # The latest event of 4 is kept, with the time that it shares with 7.
    history = History(1, (4, 5, 6, 4, 7), (1.0, 2.0, 2.0, 3.0, 3.0))
    (once,) = prepare([history], Preparation(), {})
    assert (once.items, once.times) == ((5, 6, 4, 7), (2.0, 2.0, 3.0, 3.0))
    (newest,) = prepare([history], Preparation(newest=3), {})
    assert (newest.items, newest.times) == ((6, 4, 7), (2.0, 3.0, 3.0))
    assert once.times is not None
    assert baskets_of(once.times) == (0, 0, 1, 1)


def test_titles_of_any_length_count_unless_there_is_a_limit() -> None:
    history = History(1, (4, 5, 6), None)
    lengths = {4: 1000, 6: 0}
    assert prepare([history], Preparation(with_title=True), lengths)[0].items == (4,)


def test_a_user_may_be_left_with_nothing() -> None:
    assert prepare([History(1, (4,), None)], PAPER, {}) == [History(1, (), None)]


def test_keeping_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        prepare([], Preparation(newest=0), {})


def test_each_once_keeps_the_latest_place() -> None:
    assert deduplicate_keep_last((4, 5, 4, 6, 5)) == [4, 6, 5]
    assert deduplicate_keep_last(()) == []
