"""What an import says about itself when it is over, or was stopped."""

from dataclasses import dataclass

from gpt4rec_es.errors import DataError
from gpt4rec_es.feeds.batches import Reject
from gpt4rec_es.feeds.shapes import Kind


@dataclass(frozen=True)
class ImportReport:
    """What an import read and changed; with ``is_dry_run``, would change.

    records = accepted + all rejected; accepted = inserted + updated + unchanged + duplicates.
    rejected: reason code -> count. duplicates: records that a later one of the same key replaced.
    version: of the catalog or the histories afterwards. seconds: from opening to commit.
    """

    kind: Kind
    import_no: int | None
    is_dry_run: bool
    files: tuple[str, ...]
    shapes: tuple[str, ...]
    records: int
    accepted: int
    rejected: dict[str, int]
    inserted: int
    updated: int
    unchanged: int
    duplicates: int
    deactivated: int
    users_created: int
    version: int | None
    seconds: float
    first_rejects: tuple[Reject, ...]
    error: str | None = None


class ImportStoppedError(DataError):
    """Too many records are wrong, so nothing was changed; ``report`` says which."""

    report: ImportReport | None = None
