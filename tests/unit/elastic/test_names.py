from datetime import UTC, datetime, timedelta, timezone

import pytest

from gpt4rec_es.elastic.names import check_name, is_index_of, new_index_name
from gpt4rec_es.errors import UsageError


def test_a_name_has_alias_utc_time_and_chance() -> None:
    moment = datetime(2026, 11, 22, 1, 2, 3, tzinfo=timezone(timedelta(hours=1)))
    names = {new_index_name("items", moment) for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("items-20261122000203-") for name in names)
    assert all(is_index_of("items", name) for name in names)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-items",
        "Items",
        "items*",
        "items,other",
        "_all",
        "items/../x",
        "items\n",
        "ïtems",
        "a" * 81,
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        check_name(name)


def test_an_alias_must_leave_room_for_the_rest() -> None:
    assert len(new_index_name("a" * 58, datetime.now(UTC))) == 80
    with pytest.raises(UsageError, match="too long"):
        new_index_name("a" * 59)


@pytest.mark.parametrize(
    "name",
    [
        "items",
        "items-backup",
        "items-2-20261122000203-abcdef",
        "items-20261122000203-ABCDEF",
        "items-20261122000203-abcdef-x",
        "myitems-20261122000203-abcdef",
    ],
)
def test_indices_of_others_are_not_taken_for_ours(name: str) -> None:
    assert not is_index_of("items", name)
