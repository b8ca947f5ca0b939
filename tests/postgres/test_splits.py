"""Stored splits: stored completely or not at all, equal in any database, without leaks."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.lab.splits.stored import drop_split, list_splits, load_split, show_split
from gpt4rec_es.lab.training import split_data
from gpt4rec_es.lab.training.split_data import SplitPart, read_split_data
from tests.databases import Cluster, Database

LOO = SplitOptions("leave-one-out")
# user -> (item, day) in import order
PURCHASES = {
    "ann": [("a", 1), ("b", 2), ("c", 3), ("d", 4)],
    "ben": [("d", 1), ("c", 2), ("a", 2), ("e", 5)],
    "cat": [("b", 1), ("e", 2)],
    "dan": [("e", 1), ("b", 3), ("b", 4), ("a", 6), ("c", 7)],
}


def fill(database: Database, users: list[str], *, times: bool = True) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO items (item_id, title, version) SELECT i, 'title ' || i, 1 "
                "FROM unnest(cast(:ids AS text[])) AS x(i)"
            ),
            {"ids": ["a", "b", "c", "d", "e"]},
        )
        connection.execute(text("INSERT INTO users (user_id) VALUES ('nobody')"))
        for user in users:
            connection.execute(text("INSERT INTO users (user_id) VALUES (:u)"), {"u": user})
            for ordinal, (item, day) in enumerate(PURCHASES[user], start=1):
                connection.execute(
                    text(
                        "INSERT INTO interactions "
                        "(user_no, item_no, event_no, ordinal, event_at, version) "
                        "SELECT user_no, item_no, :no, :ordinal, CASE WHEN :times THEN "
                        "timestamptz 'epoch' + :day * interval '1 day' END, 1 "
                        "FROM users, items WHERE user_id = :u AND item_id = :i"
                    ),
                    {
                        "no": day * 86_400_000_000 if times else ordinal,
                        "day": day,
                        "ordinal": ordinal,
                        "times": times,
                        "u": user,
                        "i": item,
                    },
                )


@pytest.fixture
def shop(database: Database) -> Database:
    fill(database, sorted(PURCHASES))
    return database


def qrels(database: Database, name: str, part: str) -> list[tuple[Any, ...]]:
    with database.analyst_engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(
                text(
                    "SELECT user_id, item_id, known_item_count FROM analytics.qrels "
                    "WHERE split_name = :name AND part = :part ORDER BY 1, 2"
                ),
                {"name": name, "part": part},
            )
        ]


def make(database: Database, name: str, options: SplitOptions = LOO) -> str:
    return create_split(database.engine, name, options, actor="test").content_hash


def test_leave_one_out_is_stored_as_qrels_and_training(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = create_split(shop.engine, "loo", LOO, actor="test")
    assert (report.users_to_learn_from, report.purchases_to_learn_from) == (4, 8)
    assert (report.validation_users, report.test_users, report.users_left_out) == (3, 3, 1)
    assert qrels(shop, "loo", "test") == [("ann", "d", 3), ("ben", "e", 3), ("dan", "c", 3)]
    assert qrels(shop, "loo", "validation") == [("ann", "c", 2), ("ben", "a", 2), ("dan", "a", 2)]
    data = read_split_data(shop.engine, SplitPart("loo"))
    learned = [
        [data.histories.titles[number] for number in numbers] for _, numbers in data.histories
    ]
    assert learned == [
        ["title a", "title b"],
        ["title d", "title c"],
        ["title b", "title e"],
        ["title e", "title b"],
    ]
    assert (data.facts["purchases"], data.facts["split_hash"]) == (8, report.content_hash)
    assert len(data.validation) == 3
    both = read_split_data(shop.engine, SplitPart("loo", with_validation=True))
    assert (both.facts["purchases"], len(both.validation)) == (11, 0)
    monkeypatch.setattr(split_data, "_KEPT_BACK", 0.4)  # one of three users
    both = read_split_data(shop.engine, SplitPart("loo", with_validation=True))
    assert (both.facts["purchases"], len(both.validation)) == (10, 1)


def test_loaded_splits_have_baskets_if_times_are_known(
    shop: Database, cluster: Cluster, template_database: str
) -> None:
    report = create_split(shop.engine, "loo", LOO, actor="test")
    _, loaded = load_split(shop.engine, "loo")
    with shop.engine.connect() as connection:
        found = connection.execute(text("SELECT user_no, user_id FROM users"))
        user_nos = {row.user_id: row.user_no for row in found}
    ben, dan = user_nos["ben"], user_nos["dan"]
    assert loaded.baskets == {
        user_no: (0, 1)[: len(loaded.train[user_no])] for user_no in loaded.train
    }
    # ben's second and third purchase are on one day; for dan only the later purchase of b is used.
    validation, test = (
        {c.user_no: c.baskets for c in part} for part in (loaded.validation, loaded.test)
    )
    assert (validation[ben], test[ben], test[dan]) == ((0, 1), (0, 1, 1), (0, 1, 2))
    make(shop, "baskets", SplitOptions("next-basket"))
    _, baskets = load_split(shop.engine, "baskets")
    assert (baskets.train[ben], baskets.baskets[ben]) == (loaded.train[ben][:1], (0,))
    assert baskets.test[1].baskets == (0, 1, 1)
    with shop.engine.begin() as connection:  # as older versions stored splits
        for table in ("split_train", "split_eval_users"):
            connection.execute(text(f"UPDATE {table} SET baskets = NULL"))
    _, old = load_split(shop.engine, "loo")
    assert (old.train, old.baskets) == (loaded.train, {})
    assert {eval_user.baskets for eval_user in (*old.validation, *old.test)} == {None}
    other = cluster.create(template_database)
    try:
        fill(other, sorted(PURCHASES), times=False)
        # The content is the same with order only, so the hash does not depend on times.
        assert make(other, "loo") == report.content_hash
        assert load_split(other.engine, "loo")[1].baskets == {}
    finally:
        cluster.drop(other)


def test_baskets_stand_beside_purchases(shop: Database) -> None:
    make(shop, "loo")
    for table in ("split_train", "split_eval_users"):
        with pytest.raises(IntegrityError, match="baskets"), shop.engine.begin() as connection:
            connection.execute(text(f"UPDATE {table} SET baskets = '{{0}}'"))


def test_the_split_view_says_how_it_was_made(shop: Database) -> None:
    make(shop, "s", SplitOptions("leave-one-out", shuffle_ties=3))
    with shop.analyst_engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM analytics.splits")).one()
    assert (row.split_name, row.split_protocol, row.tie_seed) == ("s", "leave-one-out", 3)
    assert (row.training_user_count, row.test_case_count, row.left_out_user_count) == (4, 3, 1)
    assert row.has_times


def test_ties_are_shuffled_by_the_seed_alone(shop: Database) -> None:
    hashes = {make(shop, f"s{n}", SplitOptions("leave-one-out", shuffle_ties=n)) for n in range(9)}
    # Only ben has two purchases of equal time, so there are two orders.
    assert len(hashes) == 2
    assert make(shop, "stored") in hashes


def test_ties_that_decide_a_target_are_counted(shop: Database) -> None:
    # Counted: ben's validation target.
    assert create_split(shop.engine, "s", LOO, actor="t").tied_users == 1
    with shop.engine.begin() as connection:  # now ben's last three have equal times
        connection.execute(
            text(
                "UPDATE interactions SET event_no = 2 * 86400000000, ordinal = 9 "
                "FROM users AS u, items AS i WHERE user_id = 'ben' AND item_id = 'e' "
                "AND u.user_no = interactions.user_no AND i.item_no = interactions.item_no"
            )
        )
    assert create_split(shop.engine, "t", LOO, actor="t").tied_users == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (SplitOptions("leave-one-out", fractions=(0.2, 0.1)), "holds out something of every user"),
        (SplitOptions("users", moments=(1.0, 2.0)), "has no moments"),
        (
            SplitOptions("global-time", moments=(2 * 86_400.0, 86_400.0)),
            "1970-01-03 00:00:00 and 1970-01-02 00:00:00 do not ascend",
        ),
    ],
)
def test_options_that_would_change_nothing_are_refused(
    shop: Database, options: SplitOptions, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        create_split(shop.engine, "s", options, actor="t")
    assert list_splits(shop.engine) == []


def test_equal_data_give_equal_splits_whatever_the_order_of_imports(
    shop: Database, cluster: Cluster, template_database: str
) -> None:
    other = cluster.create(template_database)
    try:
        fill(other, sorted(PURCHASES, reverse=True))
        for name, options in {
            "loo": SplitOptions("leave-one-out", shuffle_ties=5),
            "users": SplitOptions("users", seed=3, fractions=(0.25, 0.25)),
        }.items():
            assert make(shop, name, options) == make(other, name, options)
            assert qrels(shop, name, "test") == qrels(other, name, "test")
    finally:
        cluster.drop(other)


def test_baskets_and_moments_need_times(cluster: Cluster, shop: Database) -> None:
    make(shop, "baskets", SplitOptions("next-basket"))
    assert qrels(shop, "baskets", "test") == [("ann", "d", 3), ("ben", "e", 3), ("dan", "c", 4)]
    day = 86_400.0
    make(shop, "time", SplitOptions("global-time", moments=(3 * day, 5 * day)))
    assert qrels(shop, "time", "test") == [("ben", "e", 3), ("dan", "a", 3), ("dan", "c", 3)]
    assert ("dan", "b", 1) in qrels(shop, "time", "validation")


def test_an_order_alone_is_split_but_not_by_time(database: Database) -> None:
    fill(database, sorted(PURCHASES), times=False)
    report = create_split(database.engine, "loo", LOO, actor="test")
    assert (report.has_times, report.tied_users) == (False, 0)
    with pytest.raises(UsageError, match="not known which purchases are tied"):
        make(database, "shuffled", SplitOptions("leave-one-out", shuffle_ties=1))
    for protocol in ("next-basket", "global-time"):
        with pytest.raises(UsageError, match="needs times"):
            make(database, protocol, SplitOptions(protocol))


def test_the_papers_preparation_and_its_options(shop: Database) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE items SET title = NULL WHERE item_id = 'd'"))
    make(shop, "paper", SplitOptions("gpt4rec", fractions=(0.25, 0.25), newest=2))
    assert all(known == 1 for _, _, known in qrels(shop, "paper", "test"))
    report = create_split(shop.engine, "loo", LOO, actor="test")
    assert report.unfindable_targets == 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("two words", LOO, "cannot name a split"),
        ("", LOO, "cannot name a split"),
        ("s", SplitOptions("nonsense"), "no protocol 'nonsense'"),
        ("s", SplitOptions("users", fractions=(0.5, 0.5)), "leave a part empty"),
        ("s", SplitOptions("users"), "leaves validation empty"),
        ("s", SplitOptions("leave-one-out", newest=2), "leaves validation empty"),
        ("s", SplitOptions("global-time", moments=(5.0, 5.0)), "do not ascend"),
        ("s", SplitOptions("leave-one-out", newest=0), "Keep at least 1"),
    ],
)
def test_what_cannot_be_split_leaves_nothing(
    shop: Database, name: str, options: SplitOptions, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make(shop, name, options)
    assert list_splits(shop.engine) == []


def test_names_are_taken_once_and_unknown_ones_named(shop: Database, database: Database) -> None:
    with pytest.raises(UsageError, match=r"no split 'x'\. Make one"):
        show_split(shop.engine, "x")
    make(shop, "loo")
    with pytest.raises(UsageError, match="split drop loo"):
        make(shop, "loo")
    with pytest.raises(UsageError, match=r"There are: loo\."):
        drop_split(shop.engine, "x", actor="test")
    assert drop_split(shop.engine, "loo", actor="test", dry_run=True).name == "loo"
    assert [row.name for row in list_splits(shop.engine)] == ["loo"]
    drop_split(shop.engine, "loo", actor="test")
    assert list_splits(shop.engine) == []
    assert qrels(shop, "loo", "test") == []
    with shop.engine.connect() as connection:
        actions = connection.execute(text("SELECT action FROM audit ORDER BY audit_no")).scalars()
        assert list(actions) == ["split_create", "split_drop"]


def test_without_purchases_there_is_nothing_to_split(database: Database) -> None:
    with pytest.raises(UsageError, match="no purchases to split"):
        make(database, "loo")


def test_a_dry_run_reports_all_and_stores_nothing(shop: Database) -> None:
    report = create_split(shop.engine, "loo", LOO, actor="test", dry_run=True)
    assert report.created_at is None
    assert list_splits(shop.engine) == []
    assert make(shop, "loo") == report.content_hash


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        # The test target of ann is in training, too.
        (
            "UPDATE split_train SET item_nos = item_nos || 4, baskets = NULL WHERE user_no = 2",
            "knows more of user",
        ),
        (
            "UPDATE split_eval_users SET history = history || targets, baskets = NULL",
            "known beforehand",
        ),
        (
            "UPDATE split_eval_users SET history = '{1}', baskets = '{0}' WHERE part = 'test'",
            "knows more|lies before",
        ),
    ],
)
def test_a_planted_leak_is_refused_by_every_reader_of_the_split(
    shop: Database, planted: str, message: str
) -> None:
    make(shop, "loo")
    load_split(shop.engine, "loo")
    with shop.engine.begin() as connection:
        assert connection.execute(text(planted)).rowcount
    with pytest.raises(DataError, match=message):
        load_split(shop.engine, "loo")
    with pytest.raises(DataError, match=message):
        read_split_data(shop.engine, SplitPart("loo"))


def test_held_out_users_are_not_in_training(shop: Database) -> None:
    make(shop, "users", SplitOptions("users", fractions=(0.25, 0.25)))
    with shop.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO split_train SELECT split_no, user_no, history[1:1] "
                "FROM split_eval_users WHERE part = 'test'"
            )
        )
    with pytest.raises(DataError, match="held out for test"):
        load_split(shop.engine, "users")


def test_commands(shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpt4rec_es.cli.main import run  # noqa: PLC0415 - the shim under test

    monkeypatch.setenv("DATABASE_URL", shop.writer_url)
    monkeypatch.setenv("GPT4REC_STACK_FOLDER", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    create = ["split", "create", "s", "--protocol"]
    assert run([*create, "global-time", "--validation-from", "1970-01-04"]) == 2
    assert run([*create, "leave-one-out", "--json"]) == 0
    assert run([*create, "leave-one-out"]) == 2
    assert run(["split", "list"]) == 0
    assert run(["split", "show", "s"]) == 0
    assert run(["split", "drop", "s"]) == 0
    assert run(["split", "show", "s", "--json"]) == 2


def test_shown_as_json(shop: Database) -> None:
    make(shop, "loo")
    shown = show_split(shop.engine, "loo")
    assert shown["parts"] == [
        {"part": "training", "users": 4, "targets": 0, "mean_history": 2.0},
        {"part": "validation", "users": 3, "targets": 3, "mean_history": 2.0},
        {"part": "test", "users": 3, "targets": 3, "mean_history": 3.0},
    ]
    assert json.dumps(shown, default=str)
