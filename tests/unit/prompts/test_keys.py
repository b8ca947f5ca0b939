import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.prompts.keys import canonical_json, hash128, normalise_query
from gpt4rec_es.records import Decoding


def test_hash_is_128_bits_of_the_exact_text() -> None:
    # echo -n "red candle" | b2sum -l 128
    assert hash128("red candle").hex() == "7df5b8143b43e47162ab5ca713e18a98"
    assert hash128("red candle ") != hash128("red candle")


def test_canonical_json_orders_keys_and_writes_equal_numbers_alike() -> None:
    assert canonical_json({"b": 1.0, "a": [True, 0.5, "ü"]}) == '{"a":[true,0.5,"ü"],"b":1}'
    whole = Decoding(length_penalty=1).as_dict()
    assert canonical_json(whole) == canonical_json(Decoding(length_penalty=1.0).as_dict())


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_canonical_json_refuses_numbers_that_are_none(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json({"a": number})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  red \t candle\n", "red candle"),
        ("red\x00candle\x1b[31m", "red candle [31m"),
        ("cafe\u0301", "caf\u00e9"),
        ("red\u200bcandle", "red candle"),
        ("re\u202ed\u2066\ufeff", "red"),
        ("bad\ud800", "bad"),
        ("\u00a0red\u3000candle\u2028", "red candle"),
    ],
)
def test_normalise_query(text: str, expected: str) -> None:
    assert normalise_query(text) == expected


@given(st.text(st.characters(exclude_categories=[])))
def test_normal_form_is_stable_single_spaced_and_storable(text: str) -> None:
    normal = normalise_query(text)
    assert normalise_query(normal) == normal
    assert normal == " ".join(normal.split())
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in normal)
    normal.encode()
