"""Bytes of files: plain text, valid and damaged gzip, and binary formats."""

import gzip
import os
import zlib
from pathlib import Path

import pytest

from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.feeds.lines import blocks
from gpt4rec_es.feeds.opening import open_feed
from gpt4rec_es.feeds.source import ByteSource

TEXT = b"item_id,title\n" + b"".join(b"%d,Mug %d\n" % (n, n) for n in range(50_000))


def content(path: Path) -> bytes:
    source = ByteSource(path)
    try:
        return b"".join(source.pieces())
    finally:
        source.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "items.csv"


def test_plain_and_packed_give_the_same(path: Path) -> None:
    path.write_bytes(TEXT)
    assert content(path) == TEXT
    path.write_bytes(gzip.compress(TEXT))
    assert content(path) == TEXT


def test_the_position_ends_at_the_size_on_disk(path: Path) -> None:
    path.write_bytes(gzip.compress(TEXT))
    source = ByteSource(path)
    positions = [source.position for _ in source.pieces()]
    source.close()
    assert positions == sorted(positions)
    assert positions[-1] == source.size == path.stat().st_size


def test_pieces_stay_small_however_tight_the_packing(path: Path) -> None:
    path.write_bytes(gzip.compress(b"a" * 20_000_000))
    source = ByteSource(path)
    assert max(map(len, source.pieces())) <= 256 * 1024
    source.close()


def test_members_one_after_the_other_and_padding(path: Path) -> None:
    path.write_bytes(gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]) + b"\0" * 512)
    assert content(path) == TEXT


@pytest.mark.parametrize("lost", [1, 8, 9, 1000])
def test_a_cut_off_gzip_file_is_an_error(path: Path, lost: int) -> None:
    path.write_bytes(gzip.compress(TEXT)[:-lost])
    with pytest.raises(DataError, match="cut off"):
        content(path)


def test_a_damaged_gzip_file_is_an_error(path: Path) -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)
    with pytest.raises(DataError, match="damaged"):
        content(path)
    path.write_bytes(gzip.compress(TEXT) + b"garbage after the end")
    with pytest.raises(DataError, match="damaged"):
        content(path)


def test_a_gzip_bomb_is_stopped(path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    line = b"M1," + b" " * 60_000 + b"\n"
    with path.open("wb") as file:
        for _ in range(5000):  # 300 MB
            file.write(packer.compress(line))
        file.write(packer.flush())
    assert path.stat().st_size < 1_000_000
    with pytest.raises(DataError, match="more than 100 times"):
        content(path)


def test_an_endless_line_does_not_fill_the_memory(path: Path) -> None:
    path.write_bytes(b"item_id,title\n" + gzip.compress(b""))
    pieces = iter([b"id\n"] + [b"x" * 100_000] * 1000 + [b"\nlast\n"])
    found = list(blocks(pieces))
    assert [(one.first_line, one.too_long, one.is_last) for one in found] == [
        (1, False, False),
        (2, True, False),
        (3, False, True),
    ]
    assert len(found[1].data) <= 4096
    assert found[2].data == b"last\n"


def test_blocks_hold_whole_lines_whatever_the_pieces() -> None:
    text = b"a\nbb\n\nccc\r\nd"
    for size in range(1, len(text) + 1):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        found = list(blocks(pieces))
        assert b"".join(one.data for one in found) == text
        assert [one.is_last for one in found] == [False] * (len(found) - 1) + [True]
        line = 1
        for one in found:
            assert one.first_line == line
            line += one.data.count(b"\n")
            assert one.data.endswith(b"\n") or one.is_last


def test_an_endless_last_line_is_marked() -> None:
    assert [one.too_long for one in blocks([b"x" * 50, b"x" * 50], max_line=60)] == [True]


def test_the_byte_order_mark_goes(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + TEXT)
    feed = open_feed(path)
    assert feed.fields == ("item_id", "title")
    feed.close()


@pytest.mark.parametrize(
    ("head", "named"),
    [
        (b"PK\x03\x04rest", "zip"),
        (b"BZh91AY", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        ("item_id,title\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_other_kinds_of_files_are_named(path: Path, head: bytes, named: str) -> None:
    path.write_bytes(head)
    with pytest.raises(UsageError, match=named):
        open_feed(path)
    path.write_bytes(gzip.compress(head))
    with pytest.raises(UsageError, match=named):
        open_feed(path)


@pytest.mark.parametrize(
    "empty", [b"", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0), b"\n", b"\n\n"]
)
def test_an_empty_file_is_an_error(path: Path, empty: bytes) -> None:
    path.write_bytes(empty)
    with pytest.raises(DataError, match=r"items\.csv is empty"):
        open_feed(path)


@pytest.mark.parametrize("name", ["items.jsonl", "items.json.gz"])
def test_an_empty_json_file_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\n \n")
    with pytest.raises(DataError, match="is empty"):
        open_feed(tmp_path / name)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.csv cannot be read: No such file"):
        open_feed(tmp_path / "missing.csv")
    with pytest.raises(UsageError, match="Is a directory"):
        open_feed(tmp_path)
    with pytest.raises(UsageError, match=r"nul.x00\.csv is no file name"):
        open_feed("nul\0.csv")
    with pytest.raises(UsageError, match=r"odd.xff\.csv cannot be read"):
        open_feed(os.fsdecode(b"odd\xff.csv"))


def test_what_may_never_end_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(UsageError, match="no regular file") as caught:
            open_feed(path)
        assert "standard input as -" in caught.value.hint


def test_rows_that_unpack_to_a_hundred_times_their_size_need_an_option(path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    rows = b"M1,Mug\n" * 30_000
    with path.open("wb") as file:
        file.write(packer.compress(b"item_id,title\n"))
        for _ in range(400):  # 84 MB
            file.write(packer.compress(rows))
        file.write(packer.flush())
    with pytest.raises(DataError, match="more than 100 times") as caught:
        content(path)
    assert "--max-size" in caught.value.hint
    source = ByteSource(path, 100_000_000)
    assert sum(map(len, source.pieces())) == 14 + 400 * len(rows)
    source.close()
    source = ByteSource(path, 1_000_000)
    with pytest.raises(DataError, match="more than 1,000,000 bytes"):
        list(source.pieces())
    source.close()
