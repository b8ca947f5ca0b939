"""Mutated records: no crash, every record is counted, and other records are unaffected."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt4rec_es.feeds.batches import BadRecordError
from gpt4rec_es.feeds.literals import parse_literal
from tests.unit.feeds.reading import interactions_of, items_of

ROWS = 600
ODD = [
    b"\0",
    b'"',
    b'""',
    b",",
    b"\\",
    b"\r",
    b"\t",
    b"'",
    b"{",
    b"}",
    b"[" * 50,
    b"\xff",
    b"\xed\xa0\x80",  # an encoded surrogate, invalid in UTF-8
    b"\xef\xbb\xbf",
    "\u202e".encode(),
    b"\x1b[2J",
    b"NaN",
    b"1e999",
    b"-1",
    b"9" * 30,
    b"infinity",
    b"\\u0000",
    b"\\ud800",
    b"=cmd()",
    b"x" * 600,
]


def csv_item(n: int) -> bytes:
    title = f'"Mug ""{n}"", large"' if n % 2 else f"Mug {n}"
    return f"id{n},{title},Acme,{n}.50".encode()


def json_item(n: int) -> bytes:
    return json.dumps({"item_id": f"id{n}", "title": f"Mug {n}", "price": n}).encode()


def literal_item(n: int) -> bytes:
    return repr({"asin": f"id{n}", "title": f"Mug '{n}'", "categories": [["A"]]}).encode()


def csv_event(n: int) -> bytes:
    return f"user{n % 7},id{n},{1323435000 + n},{n},4.5".encode()


def mutate(line: bytes, rng: random.Random) -> bytes:
    """Return ``line`` with one to three places deleted, doubled or replaced; never with a LF."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(line) + 1)
        end = min(len(line), at + rng.randint(0, 4))
        part = rng.choice([b"", line[at:end] * 2, bytes([rng.randrange(256)]), rng.choice(ODD)])
        line = line[:at] + part.replace(b"\n", b" ") + line[end:]
    return line


@pytest.mark.parametrize(
    ("name", "header", "make"),
    [
        ("items.csv", b"item_id,title,brand,price", csv_item),
        ("items.jsonl", None, json_item),
        ("meta.json", None, literal_item),
        ("events.csv", b"user_id,item_id,timestamp,ordinal,rating", csv_event),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_mutated_records_cost_no_neighbour(
    tmp_path: Path, name: str, header: bytes | None, make: Callable[[int], bytes], seed: int
) -> None:
    rng = random.Random(seed)
    lines = [make(n) for n in range(ROWS)]
    mutated = {n: mutate(lines[n], rng) for n in range(5, ROWS, 3)}
    body = [mutated.get(n, line) for n, line in enumerate(lines)]
    path = tmp_path / name
    path.write_bytes(b"\n".join([*([header] if header else []), *body]) + b"\n")

    found, rejects = (interactions_of if name == "events.csv" else items_of)(path)
    ids = [row[1] if name == "events.csv" else row[0] for row in found]

    blank = sum(not line.strip(b" \t\r\f\v") for line in mutated.values())
    assert len(found) + len(rejects) == ROWS - blank
    untouched = {f"id{n}" for n in range(ROWS) if n not in mutated}
    assert untouched <= set(ids)
    offset = 2 if header else 1
    assert {reject.line for reject in rejects} <= {n + offset for n in mutated}
    assert len({reject.line for reject in rejects}) == len(rejects)
    assert all(one.reason and one.code and one.excerpt.isprintable() for one in rejects)


@pytest.mark.parametrize("seed", range(3))
def test_garbage_is_no_literal_or_a_plain_value(seed: int) -> None:
    rng = random.Random(seed)
    alphabet = "{}[](),:'\"\\ 0123456789.eE+-uxNTF \nabc"
    for _ in range(3000):
        text = "".join(rng.choices(alphabet, k=rng.randint(0, 30)))
        try:
            value = parse_literal(text)
        except BadRecordError:
            continue
        assert isinstance(value, dict | list | str | int | float | bool | None)
