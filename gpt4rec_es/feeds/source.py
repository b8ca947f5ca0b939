"""Bytes of a file, plain or gzip, in small pieces and with limits on what gzip expands to.

The content decides the format, not the name: a plain file called .gz is read as it is. The
byte-order mark is removed, and encodings other than UTF-8 are reported by name and refused.
"""

import math
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.feeds.formats import MAX_SIZE

_PIECE = 256 * 1024
_GZIP = b"\x1f\x8b"
# Shop data compresses to a fifth or a tenth, equal lines to less than a hundredth; deflate's limit
# is 1/1032. Below this size the ratio is not checked, and not where the operator says a size.
_MAX_RATIO = 100
_RATIO_FROM = 64 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_FOREIGN = {
    b"PK\x03\x04": ("a zip archive (or a spreadsheet)", "Unpack it, or export it as CSV"),
    b"BZh": ("compressed by bzip2", "Unpack it, or compress it with gzip"),
    b"\xfd7zXZ": ("compressed by xz", "Unpack it, or compress it with gzip"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "Unpack it, or compress it with gzip"),
    b"\xff\xfe": ("UTF-16 text", "Save it as UTF-8"),
    b"\xfe\xff": ("UTF-16 text", "Save it as UTF-8"),
}


class ByteSource:
    """One open file. ``size``: its length on disk; ``position``: bytes of it read so far."""

    def __init__(self, path: str | Path, max_size: int | None = None) -> None:
        self.path = printable(path)
        self._max_size = max_size or MAX_SIZE
        self._max_ratio = math.inf if max_size else _MAX_RATIO
        self._file = open_file(path)
        self.size = os.fstat(self._file.fileno()).st_size
        self.position = 0
        self._stream = self._unpacked()
        self._head: bytes | None = None

    def peek(self) -> bytes:
        """Return the first piece without consuming it.

        Raises:
            UsageError: not a text file, or it cannot be read.
            DataError: empty, or damaged.
        """
        if self._head is None:
            self._head = next(self._stream, b"").removeprefix(_BOM)
            if not self._head:
                raise DataError(f"{self.path} is empty.", "Check the export that wrote it.")
            self._refuse_foreign(self._head)
        return self._head

    def pieces(self) -> Iterator[bytes]:
        """Yield the content, unpacked and without byte-order mark, in pieces of at most 256 KiB.

        Raises:
            UsageError: as for :meth:`peek`.
            DataError: damaged or truncated, or it expands beyond the maximum ratio.
        """
        yield self.peek()
        yield from self._stream

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self) -> bytes:
        try:
            piece = self._file.read(_PIECE)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        self.position += len(piece)
        return piece

    def _unpacked(self) -> Iterator[bytes]:
        piece = self._read()
        if piece.startswith(_GZIP):
            yield from self._inflate(piece)
            return
        while piece:
            yield piece
            piece = self._read()

    def _inflate(self, packed: bytes) -> Iterator[bytes]:
        """Unpack one or more gzip members, at most one piece at a time."""
        inflater = zlib.decompressobj(wbits=31)
        produced = 0
        # If the limit holds output back, input is left too: the eight bytes of the trailer.
        while packed or (packed := self._read()):
            if inflater.eof:  # another member, or padding
                packed = packed.lstrip(b"\0")
                if not packed:
                    continue
                inflater = zlib.decompressobj(wbits=31)
            try:
                piece = inflater.decompress(packed, _PIECE)
            except zlib.error as error:
                raise self._damaged(f"is damaged ({error})") from error
            packed = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            produced += len(piece)
            self._check_size(produced)
            if piece:
                yield piece
        if not inflater.eof:
            raise self._damaged("ends too early: it was cut off")

    def _check_size(self, produced: int) -> None:
        if produced > self._max_size:
            what = f"unpacks to more than {self._max_size:,} bytes"
        elif produced > _RATIO_FROM and produced > self._max_ratio * self.position:
            what = f"unpacks to more than {self._max_ratio} times its size"
        else:
            return
        raise DataError(
            f"{self.path} {what}.", "If that is right, allow as many bytes by --max-size."
        )

    def _damaged(self, what: str) -> DataError:
        return DataError(f"{self.path} {what}.", "Fetch or pack it again; nothing was changed.")

    def _refuse_foreign(self, piece: bytes) -> None:
        for magic, (kind, hint) in _FOREIGN.items():
            if piece.startswith(magic):
                raise UsageError(f"{self.path} is {kind}.", f"{hint}.")


def spool(stream: BinaryIO, folder: Path, max_size: int | None = None) -> Path:
    """Copy ``stream`` to a file in ``folder`` and return its path; files are read more than once.

    Raises:
        DataError: it delivers more than ``max_size`` bytes (None: 32 GiB).
    """
    path = folder / "standard-input"
    limit = max_size or MAX_SIZE
    size = 0
    with path.open("wb") as file:
        while piece := stream.read(_PIECE):
            size += len(piece)
            if size > limit:
                raise DataError(
                    f"Standard input delivers more than {limit:,} bytes.",
                    "If that is right, allow as many bytes by --max-size.",
                )
            file.write(piece)
    return path


def printable(path: str | Path) -> str:
    """Return a path as text that can be printed and stored, for any bytes in it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def open_file(path: str | Path) -> BinaryIO:
    """Return the file opened for reading.

    Raises:
        UsageError: it does not exist, may not be read, or is a folder, a pipe or a device, whose
            end might never come.
    """
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise UsageError(
                f"{printable(path)} is no regular file.",
                "Write it to a file first, or hand it in on standard input as -.",
            )
        return Path(path).open("rb")
    except OSError as error:
        raise _unreadable(printable(path), error) from error
    except ValueError as error:  # NUL in a path
        raise UsageError(f"{printable(path)} is no file name.") from error


def _unreadable(path: str, error: OSError) -> UsageError:
    reason = error.strerror or "it cannot be read"
    return UsageError(f"{path} cannot be read: {reason}.", "Check the path and its permissions.")
