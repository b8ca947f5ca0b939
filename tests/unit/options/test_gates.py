import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.gates import GateLimits, read_limits, write_limits


def test_limits_are_read_and_written_by_name() -> None:
    limits = read_limits("top_item=0.8 held_out_users=5")
    assert limits == GateLimits(top_item=0.8, held_out_users=5)
    assert write_limits(limits) == "top_item=0.8 held_out_users=5"
    assert write_limits(GateLimits()) is None
    assert GateLimits.from_dict({**limits.as_dict(), "of_another_version": 0.1}) == limits


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("top=1", "'top' is no limit"),
        ("top_item=2", "top_item is 2"),
        ("top_item=nan", "top_item is nan"),
        ("rise=inf", "rise is inf"),
        ("rise=-1", "rise is -1"),
        ("rise=0.5", "rise is 0.5. It must be 1 or more"),
        ("rise", "'rise' is not NAME=NUMBER"),
        ("held_out_users=1.5", "with a whole number"),
        ("rise=2 rise=3", "rise is given twice"),
    ],
)
def test_wrong_limits_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_limits(text)


def test_a_limit_above_its_range_is_a_user_error() -> None:
    with pytest.raises(UsageError, match=r"shrinkage is 1\.5"):
        GateLimits(shrinkage=1.5)
