"""The .env file: ``NAME=value`` lines in UTF-8; a line that cannot be used is an error."""

import io
from collections.abc import Callable
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from gpt4rec_es.errors import UsageError

_LONGEST = 1_000_000
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_env_file(path: str | Path, misnamed: Callable[[str], str]) -> dict[str, str | None]:
    """Return name -> value of the lines of ``path``; nothing if there is no such file.

    misnamed: why a name is probably a mistake; "": it is none.

    Raises:
        UsageError: the file cannot be read or is not UTF-8, or lines are not ``NAME=value`` or are
            misnamed; each is named by file and line.
    """
    found: dict[str, str | None] = {}
    faults = []
    for binding in parse_stream(io.StringIO(_text(path))):
        where = f"{path} line {_line(binding)}"
        if binding.error or (binding.key is not None and binding.value is None):
            faults.append(f"{where} is not NAME=value")
        elif binding.key is not None:
            if reason := misnamed(binding.key):
                faults.append(f"{where}: {reason}")
            found[binding.key] = binding.value
    if faults:
        raise UsageError("; ".join(faults) + ".", "docs/settings.md lists the names.")
    return found


def _text(path: str | Path) -> str:
    try:
        with Path(path).open("rb") as file:  # may be a pipe, as of a secret manager
            data = file.read(_LONGEST + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(data) > _LONGEST:
        raise UsageError(f"{path} is longer than {_LONGEST:,} bytes.", "Name a file of settings.")
    if data.startswith(_UTF16):
        raise UsageError(f"{path} line 1: the file is UTF-16.", "Save it as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path} line {line} is not UTF-8.", "Save the file as UTF-8.") from None


def _line(binding: Binding) -> int:
    """Return the line of a statement; the parser's is that of the blank lines before it."""
    source = binding.original.string
    return int(binding.original.line) + source[: len(source) - len(source.lstrip())].count("\n")
