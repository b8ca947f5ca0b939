"""Blocks of whole lines from pieces of bytes, with a maximum length of one line.

Readers process a block at a time, so that they can parse thousands of simple lines in one step.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gpt4rec_es.feeds.batches import Batch, Reject, excerpt

# The longest metadata records of public review data sets have several hundred thousand bytes.
MAX_LINE = 4 * 1024 * 1024
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Block:
    """``data`` holds whole lines with their line ends (the file's last one may have none).

    first_line: 1-based number of its first line. too_long: data is only the beginning of one line
    that exceeds the maximum length. is_last: no block follows.
    """

    first_line: int
    data: bytes
    too_long: bool = False
    is_last: bool = False


def blocks(pieces: Iterable[bytes], max_line: int = MAX_LINE) -> Iterator[Block]:
    """Yield the content of ``pieces`` as blocks, in order; at least one, the last with is_last."""
    held: Block | None = None
    for block in _cut(pieces, max_line):
        if held is not None:
            yield held
        held = block
    if held is None:
        held = Block(1, b"")
    yield Block(held.first_line, held.data, held.too_long, is_last=True)


def too_long(path: str, block: Block) -> Batch:
    """Return a batch with only the reject of a block that is ``too_long``."""
    reason = "the line is longer than any record may be"
    reject = Reject(path, block.first_line, "record_too_long", reason, excerpt(block.data))
    return Batch(rejects=[reject])


def _cut(pieces: Iterable[bytes], max_line: int) -> Iterator[Block]:
    line = 1
    rest = b""
    skipping = False
    for piece in pieces:
        data = piece
        if skipping:
            end = data.find(b"\n")
            if end < 0:
                continue
            yield Block(line, rest, too_long=True)
            line, rest, skipping, data = line + 1, b"", False, data[end + 1 :]
        cut = data.rfind(b"\n") + 1
        if cut:
            whole = rest + data[:cut]
            yield Block(line, whole)
            line += whole.count(b"\n")
            rest = data[cut:]
        else:
            rest += data
        if len(rest) > max_line:
            rest, skipping = rest[:_HEAD], True
    if rest:
        yield Block(line, rest, too_long=skipping)
