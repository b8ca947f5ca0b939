import json
from decimal import Decimal

from gpt4rec_es.index.mapping import encode_document
from gpt4rec_es.records import Document


def test_two_lines_with_the_id_in_both() -> None:
    item = Document(7, 'B"0\n7', "Crème 50 ml", None, "Beauty > Face", Decimal("9.90"), False)
    encoded = encode_document(item)
    action, source, rest = encoded.split(b"\n")
    assert rest == b""
    assert json.loads(action) == {"index": {"_id": 'B"0\n7'}}
    assert json.loads(source) == {
        "item_id": 'B"0\n7',
        "item_no": 7,
        "title": "Crème 50 ml",
        "brand": None,
        "category": "Beauty > Face",
        "price": 9.9,
        "is_active": False,
    }


def test_a_description_is_sent_if_there_is_one() -> None:
    item = Document(1, "a", "t", None, None, None, True, description="soft")
    assert json.loads(encode_document(item).split(b"\n")[1])["description"] == "soft"


def test_a_missing_price_stays_missing() -> None:
    source = encode_document(Document(1, "a", "t", None, None, None, True)).split(b"\n")[1]
    assert json.loads(source)["price"] is None
