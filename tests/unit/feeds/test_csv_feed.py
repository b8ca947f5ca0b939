"""CSV records, valid and malformed; a malformed record does not affect others."""

from contextlib import closing
from pathlib import Path

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.feeds.batches import ABSENT
from gpt4rec_es.feeds.opening import open_feed
from tests.unit.feeds.reading import items_of, raw_records

HEADER = b"item_id,title,price\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "items.csv"


def read(path: Path, body: bytes) -> tuple[dict[int, list[object]], dict[int, str]]:
    """Return id and title by line, and reject codes by line."""
    path.write_bytes(HEADER + body)
    lines, values, rejects = raw_records(path)
    return (
        {line: record[:2] for line, record in zip(lines, values, strict=True)},
        {reject.line or 0: reject.code for reject in rejects},
    )


def test_plain_rows(path: Path) -> None:
    assert read(path, b"a,Mug,1\nb,Cup,2\r\n\nc,Jar,3") == (
        {2: ["a", "Mug"], 3: ["b", "Cup"], 5: ["c", "Jar"]},
        {},
    )


def test_fields_without_a_column_are_absent_in_records_of_any_length(path: Path) -> None:
    path.write_bytes(b'id,price\na,1\nb\n"c",2,,\n')
    with closing(open_feed(path)) as feed:
        batches = list(feed.batches([["id"], ["brand"], []]))
    values = [record for batch in batches for record in batch.values]
    assert [list(record) for record in values] == [[one, ABSENT, ABSENT] for one in "abc"]


def test_quoted_fields(path: Path) -> None:
    body = b'a,"Mug, ""big""",1\n"b","Cup\nwith saucer",2\nc,Jar 12" high,3\n'
    assert read(path, body) == (
        {2: ["a", 'Mug, "big"'], 3: ["b", "Cup\nwith saucer"], 5: ["c", 'Jar 12" high']},
        {},
    )


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (b'x,"Mug,1', "unterminated_quote"),
        (b'x,Mug,"1', "unterminated_quote"),
        (b'"x,Mug,1', "unterminated_quote"),
        (b'x,"Mug" big,1', "bad_quote"),
        (b"x,Mug", "field_count"),
        (b"x,Mug,1,2", "field_count"),
        (b'x,"Mug",1,2', "field_count"),
        (b"x,M\xfcg,1", "not_utf8"),
        (b'x,"M\xfcg",1', "not_utf8"),
        (b"x,M\x00g,1", "nul"),
        (b'x,"' + b"y" * 140_000 + b'",1', "field_too_long"),
        (b'x,"a\rb",c\rd,1', "bad_line_end"),
        (b"garbage", "field_count"),
    ],
)
@pytest.mark.parametrize("quoted_neighbours", [False, True])
def test_a_broken_row_costs_itself_alone(
    path: Path, broken: bytes, code: str, quoted_neighbours: bool
) -> None:
    good = [b'%d,"Mug, %d",1' % (n, n) if quoted_neighbours else b"%d,Mug,1" % n for n in range(99)]
    rows = [*good[:50], broken, *good[50:]]
    found, rejects = read(path, b"\n".join(rows) + b"\n")
    assert rejects == {52: code}
    assert [record[0] for record in found.values()] == [str(n) for n in range(99)]


def test_each_of_many_unterminated_quotes_is_a_reject(path: Path) -> None:
    rows = [b'%d,"Mug,1' % n if n % 3 else b'%d,"Mug, blue",1' % n for n in range(300)]
    found, rejects = read(path, b"\n".join(rows))
    assert set(rejects) == {n + 2 for n in range(300) if n % 3}
    assert len(found) == 100


def test_a_quoted_text_may_span_64_lines_but_not_65(path: Path) -> None:
    found, rejects = read(path, b'a,"' + b"x\n" * 63 + b'",1\nb,Cup,2\n')
    assert (set(found), rejects) == ({2, 66}, {})
    found, rejects = read(path, b'a,"' + b"x\n" * 64 + b'",1\nb,Cup,2\n')
    assert rejects.pop(2) == "unterminated_quote"
    assert found == {67: ["b", "Cup"]}
    assert set(rejects) == set(range(3, 67))  # its other lines are no records


def test_a_quoted_text_may_not_span_more_than_64_kilobytes(path: Path) -> None:
    long_line = b"x" * 20_000 + b"\n"
    found, rejects = read(path, b'a,"' + long_line * 4 + b'",1\nb,Cup,2\n')
    assert rejects[2] == "unterminated_quote"
    assert list(found.values()) == [["b", "Cup"]]


@pytest.mark.parametrize("offset", range(0, 60, 7))
def test_records_across_the_borders_of_blocks(path: Path, offset: int) -> None:
    # A block ends with the last whole line of 256 KiB: put records around that position.
    row = b'%07d,"Mug\nwith, lid",1\n'
    body = b"p" * offset + b",Mug,1\n" + b"".join(row % n for n in range(20_000))
    found, rejects = read(path, body)
    assert not rejects
    assert len(found) == 20_001
    assert list(found)[-1] == 2 + 1 + 2 * 19_999
    assert {record[1] for record in found.values()} == {"Mug", "Mug\nwith, lid"}


def test_an_open_quote_in_the_last_row(path: Path) -> None:
    found, rejects = read(path, b'a,Mug,1\nb,"Cup,2')
    assert (set(found), rejects) == ({2}, {3: "unterminated_quote"})


def test_a_line_without_end(path: Path) -> None:
    found, rejects = read(path, b"a,Mug,1\nb," + b"x" * 5_000_000 + b",2\nc,Jar,3\n")
    assert (set(found), rejects) == ({2, 4}, {3: "record_too_long"})
    found, rejects = read(path, b'a,"Mug\nb,' + b"x" * 5_000_000 + b",2\nc,Jar,3\n")
    assert (set(found), rejects) == ({4}, {2: "unterminated_quote", 3: "record_too_long"})


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_the_header_shows_the_delimiter(path: Path, delimiter: str) -> None:
    path.write_text("item_id,title,price\nM1,Mug 1 2,3\n".replace(",", delimiter))
    items, rejects = items_of(path)
    assert [(item.item_id, item.title) for item in items] == [("M1", "Mug 1 2")]
    assert not rejects


def test_a_quoted_header(path: Path) -> None:
    path.write_text('"item_id", title ,"price"\nM1,Mug,2\n')
    assert items_of(path)[0][0].title == "Mug"


def test_one_column(path: Path) -> None:
    path.write_text('sku\nM1\n\n"M2"\n')
    items, rejects = items_of(path, wanted="own", item_id="sku")
    assert [item.item_id for item in items] == ["M1", "M2"]
    assert [item.given for item in items] == [0, 0]
    assert not rejects


@pytest.mark.parametrize(
    "header",
    [b'"",,\n', b'item_id,"title\n', b"item_id,t\xfctle\n", b"x" * 5_000_000],
)
def test_a_header_that_cannot_be_used(path: Path, header: bytes) -> None:
    path.write_bytes(header)
    with pytest.raises(UsageError, match="no usable header"):
        open_feed(path)


def test_excerpts_are_short_and_harmless(path: Path) -> None:
    path.write_bytes(HEADER + b"a,\x1b[31m\xff\xe2\x80\xae" + b"y" * 1000 + b"\n")
    reject = raw_records(path)[2][0]
    assert reject.excerpt.startswith("a,\\x1b[31m\\xff\\u202eyyy")
    assert len(reject.excerpt) < 230
    assert reject.excerpt.isprintable()
