"""The format of an export, by its option or by the extension of the file's name.

A name that contradicts the format is refused, because other programs open a file by its name.
"""

from collections.abc import Mapping
from pathlib import Path

from gpt4rec_es.errors import UsageError

# Extensions of the formats of a run's lists and queries.
EXTENSIONS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".trec": "trec",
}
# Extensions of formats of held-out items.
QREL_EXTENSIONS = {
    ".qrels": "trec",
    ".trec": "trec",
    ".json": "rre",
    ".csv": "quepid",
    ".jsonl": "rank-eval",
}
# Other files that programs open by their extension.
_FOREIGN = {".json", ".tsv", ".xls", ".xlsx", ".gz", ".bz2", ".xz", ".zip", ".zst"}


def choose_format(
    fmt: str | None,
    path: Path | None,
    known: tuple[str, ...],
    extensions: Mapping[str, str] = EXTENSIONS,
) -> str:
    """Return the format of an export to ``path`` (None: stdout): ``fmt``, else by the extension.

    known: the formats of this export; the first is that of stdout and of a name without a known
    extension. extensions: the format of each extension, lower case.

    Raises:
        UsageError: the extension is that of another format.
    """
    extension = "" if path is None else path.suffix.lower()
    named = extensions.get(extension)
    if named is None and extension in {*EXTENSIONS, *QREL_EXTENSIONS, *_FOREIGN}:
        named = extension.removeprefix(".")
    if named not in {None, *known}:
        allowed = sorted(name for name, one in extensions.items() if one in {fmt, *known})
        raise UsageError(
            f"{path} is named as a {named} file, which this export does not write.",
            f"Name it with one of {', '.join(allowed)}, or without an extension.",
        )
    if fmt is not None and named not in {None, fmt}:
        raise UsageError(
            f"{path} is named as a file of format {named}, but --format is {fmt}.",
            "Change one of them.",
        )
    return fmt or named or known[0]
