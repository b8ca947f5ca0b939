"""What an import found out, left out and warns of, in sentences; printed and stored with it."""

from collections.abc import Mapping, Sequence

from gpt4rec_es.catalog.import_job import OpenFile
from gpt4rec_es.db.rows.catalog import CatalogChanges

# Fraction of the imported items from which lost values are worth a warning.
_MANY = 0.01


def findings(files: Sequence[OpenFile]) -> tuple[str, ...]:
    """Return what was found out about the files, each with the file's name."""
    return tuple(f"{file.path}: {one}" for file in files for one in file.feed.said)


def warnings(changes: CatalogChanges) -> tuple[str, ...]:
    """Return a sentence for each field that many of the imported items lost."""
    items = changes.inserted + changes.updated + changes.unchanged
    return tuple(
        f"{n:,} of {items:,} items lost their {name}: the files have it empty"
        for name, n in changes.lost.items()
        if n > _MANY * items
    )


def notes(
    files: Sequence[OpenFile], skipped: Mapping[str, int], changes: CatalogChanges | None
) -> list[str]:
    """Return the sentences that are stored with the import."""
    found = [*findings(files), *(f"skipped: {n:,} x {reason}" for reason, n in skipped.items())]
    if changes is not None:
        kept = {name: n for name, n in changes.kept.items() if n}
        found += [
            f"kept: {name} of {n:,} items that is empty in the files" for name, n in kept.items()
        ]
        found += warnings(changes)
    return found
