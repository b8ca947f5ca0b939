"""Items with names in a compact form behave as a mapping does."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.named_items import NamedItems

GROUPS = st.lists(st.tuples(st.text(max_size=3), st.lists(st.integers(0, 300))), max_size=6)


@given(GROUPS)
def test_it_equals_a_dict(groups: Sequence[tuple[str, list[int]]]) -> None:
    expected = {item_no: name for name, item_nos in groups for item_no in item_nos}
    found = NamedItems(groups)
    assert dict(found) == expected
    assert len(found) == len(expected)
    assert all(found.get(item_no) == expected.get(item_no) for item_no in range(-1, 310))


def test_an_unknown_item_has_no_name() -> None:
    with pytest.raises(KeyError):
        NamedItems([("a", [3])])[-1]
