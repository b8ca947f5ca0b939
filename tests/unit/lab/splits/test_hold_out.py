from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.splits.histories import History
from gpt4rec_es.lab.splits.hold_out import (
    by_users,
    global_time,
    leave_one_out,
    next_basket,
    time_quantiles,
)
from gpt4rec_es.lab.splits.split import EvalUser, Split, with_validation


def timed(user: int, *events: tuple[int, float]) -> History:
    return History(user, tuple(item for item, _ in events), tuple(at for _, at in events))


def test_leave_one_out_by_hand() -> None:
    histories = [
        History(1, (10, 11, 12, 13), None),
        timed(2, (20, 1.0), (21, 5.0), (22, 9.0)),
        History(3, (30, 31), None),
        History(4, (), None),
    ]
    assert leave_one_out(histories) == Split(
        "leave-one-out",
        {1: (10, 11), 2: (20,), 3: (30, 31), 4: ()},
        (EvalUser(1, (10, 11), (12,)), EvalUser(2, (20,), (21,), 4.0, (0,))),
        (EvalUser(1, (10, 11, 12), (13,)), EvalUser(2, (20, 21), (22,), 4.0, (0, 1))),
        left_out=2,
        baskets={2: (0,)},
    )


def test_users_are_split_whole() -> None:
    histories = [History(user, (user, 1000 + user), None) for user in range(105)]
    histories += [History(900, (1,), None)]
    split = by_users(histories, seed=4)
    assert (len(split.train), len(split.validation), len(split.test)) == (86, 10, 10)
    assert split.left_out == 1
    assert split.train[900] == (1,)
    for eval_user in (*split.validation, *split.test):
        assert eval_user == EvalUser(
            eval_user.user_no, (eval_user.user_no,), (1000 + eval_user.user_no,)
        )
    parts = [
        set(split.train),
        *({eval_user.user_no for eval_user in part} for part in (split.test,)),
    ]
    parts.append({eval_user.user_no for eval_user in split.validation})
    assert sum(map(len, parts)) == len(set().union(*parts)) == 106


def test_the_user_split_depends_on_the_seed_and_not_on_the_order_of_users() -> None:
    histories = [History(user, (1, 2), None) for user in range(100)]
    split = by_users(histories, seed=1)
    assert by_users(histories[::-1], seed=1).test == split.test
    assert by_users(histories, seed=2).test != split.test


def test_validation_may_be_learned_from_before_the_test() -> None:
    histories = [History(user, (user, 100 + user, 200 + user), None) for user in range(20)]
    one_out, users = leave_one_out(histories), by_users(histories, seed=1)
    refitted = with_validation(one_out)
    assert refitted.train == {eval_user.user_no: eval_user.history for eval_user in one_out.test}
    assert (refitted.validation, refitted.test) == ((), one_out.test)
    tested = {eval_user.user_no for eval_user in users.test}
    assert set(with_validation(users).train) == set(range(20)) - tested
    assert set(with_validation(users).train.values()) == {
        history.items for history in histories if history.user not in tested
    }


def test_baskets_go_on_where_validation_is_learned_from() -> None:
    tied = timed(1, (10, 1.0), (11, 2.0), (12, 2.0), (13, 2.0))
    apart = timed(2, (20, 1.0), (21, 1.0), (22, 2.0), (23, 3.0))
    untimed = History(3, (30, 31, 32), None)
    refitted = with_validation(leave_one_out([tied, apart, untimed]))
    assert refitted.train == {1: (10, 11, 12), 2: (20, 21, 22), 3: (30, 31)}
    # The first user's target has the time of the last known purchase, so it is in that basket.
    assert refitted.baskets == {1: (0, 1, 1), 2: (0, 0, 1)}
    assert refitted.baskets == {
        eval_user.user_no: eval_user.baskets for eval_user in refitted.test[:2]
    }


def test_all_targets_of_a_case_go_on_as_one_basket() -> None:
    history = timed(1, (1, 1.0), (2, 5.0), (3, 6.0), (4, 10.0))
    refitted = with_validation(global_time([history], 5.0, 10.0))
    assert (refitted.train, refitted.baskets) == ({1: (1, 2, 3)}, {1: (0, 1, 1)})
    old = replace(leave_one_out([history]), validation=(EvalUser(1, (1, 2), (3,), 1.0),))
    assert old.baskets == {1: (0, 1)}
    assert with_validation(old).baskets == {}


@given(
    st.lists(st.lists(st.integers(0, 6).map(float), max_size=12).map(sorted), max_size=8),
    st.sampled_from(["leave-one-out", "users", "next-basket", "global-time"]),
)
def test_baskets_stand_beside_what_is_known_and_never_decrease(
    moments: list[list[float]], protocol: str
) -> None:
    # Six users, enough for every part of every split.
    moments = [[0.0, 2.0, 4.0, 6.0]] * 6 + moments
    histories = [
        History(user, tuple(range(len(times))), tuple(times)) for user, times in enumerate(moments)
    ]
    split = {
        "leave-one-out": lambda: leave_one_out(histories),
        "users": lambda: by_users(histories, 1, (0.2, 0.2)),
        "next-basket": lambda: next_basket(histories),
        "global-time": lambda: global_time(histories, 3.0, 5.0),
    }[protocol]()

    def check(user: int, baskets: Sequence[int] | None, known: Sequence[int]) -> None:
        # Items are indices, so the known ones have the first times.
        times = moments[user][: len(known)]
        assert baskets == tuple(sorted(set(times)).index(at) for at in times)

    for eval_user in (*split.validation, *split.test):
        check(eval_user.user_no, eval_user.baskets, eval_user.history)
    for user, items in split.train.items():
        check(user, split.baskets[user], items)
    assert split.baskets.keys() == split.train.keys()
    refitted = with_validation(split)
    assert refitted.baskets.keys() == refitted.train.keys()
    for user, items in refitted.train.items():
        baskets = refitted.baskets[user]
        assert len(baskets) == len(items)
        assert list(baskets) == sorted(baskets)


@pytest.mark.parametrize("fractions", [(0.0, 0.1), (0.5, 0.5), (0.9, 0.2)])
def test_fractions_that_leave_a_part_empty_are_refused(fractions: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="leave a part empty"):
        by_users([History(user, (1, 2), None) for user in range(100)], 1, fractions)


def test_baskets_are_held_out_whole_and_repeats_are_no_targets() -> None:
    bought = timed(1, (10, 1.0), (11, 1.0), (12, 2.0), (10, 2.0), (11, 3.0), (13, 3.0), (13, 3.0))
    two_only = timed(2, (10, 1.0), (11, 2.0))
    split = next_basket([bought, two_only])
    assert split == Split(
        "next-basket",
        {1: (10, 11), 2: (10, 11)},
        (EvalUser(1, (10, 11), (12,), 1.0, (0, 0)),),
        (EvalUser(1, (10, 11, 12, 10), (13,), 1.0, (0, 0, 1, 1)),),
        left_out=1,
        baskets={1: (0, 0), 2: (0, 1)},
    )
    repeats = next_basket([bought], only_new=False)
    assert repeats.validation[0].targets == (12, 10)
    assert repeats.test[0].targets == (11, 13)


def test_a_basket_of_repeats_alone_is_not_measured() -> None:
    bought = timed(1, (1, 1.0), (2, 2.0), (1, 3.0))
    other = timed(2, (1, 1.0), (2, 2.0), (3, 3.0))
    split = next_basket([bought, other])
    assert [eval_user.user_no for eval_user in split.validation] == [1, 2]
    assert [eval_user.user_no for eval_user in split.test] == [2]


def test_global_time_by_hand() -> None:
    histories = [
        timed(1, (10, 1.0), (14, 1.0), (11, 5.0), (12, 6.0), (10, 10.0), (13, 11.0)),
        timed(2, (20, 5.0), (21, 12.0)),
        timed(3, (30, 10.0)),
        timed(4, (40, 2.0)),
        timed(5, (50, 1.0), (51, 9.0)),
    ]
    assert global_time(histories, 5.0, 10.0) == Split(
        "global-time",
        {1: (10, 14), 4: (40,), 5: (50,)},
        (EvalUser(1, (10, 14), (11, 12), 4.0, (0, 0)), EvalUser(5, (50,), (51,), 8.0, (0,))),
        (
            EvalUser(1, (10, 14, 11, 12), (13,), 4.0, (0, 0, 1, 2)),
            EvalUser(2, (20,), (21,), 7.0, (0,)),
        ),
        left_out=2,
        baskets={1: (0, 0), 4: (0,), 5: (0,)},
    )


def test_quantiles_cut_off_fractions_of_all_events() -> None:
    histories = [timed(n, *((0, float(10 * at + n)) for at in range(10))) for n in range(10)]
    assert time_quantiles(histories) == (80.0, 90.0)
    assert time_quantiles(histories, (0.25, 0.5)) == (25.0, 50.0)
    with pytest.raises(UsageError, match="no interactions"):
        time_quantiles([])


def test_times_are_needed_where_a_protocol_needs_them() -> None:
    untimed = [History(1, (1, 2, 3), None)]
    with pytest.raises(UsageError, match="needs times"):
        next_basket(untimed)
    with pytest.raises(UsageError, match="needs times"):
        global_time(untimed, 1.0, 2.0)
    with pytest.raises(UsageError, match="needs times"):
        time_quantiles(untimed)
    with pytest.raises(UsageError, match="ascend"):
        global_time(untimed, 2.0, 2.0)


def test_too_short_histories_are_a_clear_error() -> None:
    short = [timed(1, (1, 1.0), (2, 2.0))]
    with pytest.raises(UsageError, match="leave-one-out leaves validation empty"):
        leave_one_out(short)
    with pytest.raises(UsageError, match="users leaves validation empty"):
        by_users(short, seed=1)
    with pytest.raises(UsageError, match="next-basket leaves validation empty"):
        next_basket(short)
    with pytest.raises(UsageError, match="global-time leaves train empty"):
        global_time(short, 0.0, 2.0)
