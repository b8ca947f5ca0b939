"""Erase one user from every table, in one transaction.

Exported files are not changed: those that may contain the user are listed, for the operator to
delete. The audit log entry does not name the user. Models trained on the user's purchases do not
change.
"""

import socket
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import audit
from gpt4rec_es.db.rows import privacy as rows
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.exports import ExportedFile, exports_since, unacknowledged_erasures
from gpt4rec_es.db.rows.privacy import Erasing
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.files import partial_of
from gpt4rec_es.privacy import export_register


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """Report of an erasure or its dry run.

    rows: number of rows by table. files: registered exports that may contain the user, as
    host:path; they are not changed. leftovers: partial files of killed exports, deleted.
    """

    rows: dict[str, int]
    files: list[str]
    dry_run: bool
    leftovers: tuple[str, ...] = ()


def forget_user(
    engine: Engine,
    user_id: str,
    *,
    actor: str,
    acknowledge: bool = False,
    dry_run: bool = False,
) -> ForgetReport:
    """Erase a user from the database and return a report; an import may add the user again.

    acknowledge: record that an operator deals with the files; also later, when the user is erased
    already. dry_run: nothing is changed.

    Raises:
        UsageError: there is no such user.
        ConflictError: a run is unfinished, or planning, pruning or an export is running.
    """
    with (
        locks.hold_lock(engine, "plan nightly"),
        locks.hold_lock(engine, "prune"),
        locks.hold_lock(engine, export_register.LOCK),
        transaction(engine) as connection,
    ):
        _refuse_unfinished(connection)
        user = rows.find_user(connection, user_id)
        if user is None:
            _acknowledge_only(connection, actor, acknowledge)
            return ForgetReport({}, [], dry_run)
        files = [
            place for file in exports_since(connection, user.created_at) for place in _places(file)
        ]
        erased = _erase(connection, user.user_no, user_id)
        # Later nothing else records where the user may still occur.
        after = {"rows": erased, "files": files}
        audit.record(connection, actor, "forget", "a user", after=after)
        if acknowledge and files:
            audit.record(connection, actor, "acknowledge files", "exported files")
        if dry_run:
            connection.rollback()
            return ForgetReport(erased, files, dry_run)
        # No export runs now, so each partial file is a leftover.
        leftovers = export_register.delete_leftovers(engine)
    return ForgetReport(erased, files, dry_run, tuple(map(str, leftovers)))


def _acknowledge_only(connection: Connection, actor: str, acknowledge: bool) -> None:
    """Record the acknowledgement for a user that was erased before.

    Raises:
        UsageError: there is no such user, and no erasure waits for an acknowledgement.
    """
    if not acknowledge or unacknowledged_erasures(connection) < 1:
        raise UsageError("There is no such user.", "Ids are those of the imported files.")
    audit.record(connection, actor, "acknowledge files", "exported files")


def _refuse_unfinished(connection: Connection) -> None:
    unfinished = run_rows.unfinished(connection)
    if unfinished:
        raise ConflictError(
            f"Run {unfinished[0].run_id} is unfinished ({unfinished[0].state}).",
            "Let it end, or cancel it (`gpt4rec runs cancel`), then forget the user.",
        )


def _places(file: ExportedFile) -> list[str]:
    """Return the file; where its export did not end, only if it may be there.

    On another machine this cannot be known, and there may be a partial file, too.
    """
    path = Path(file.path)
    if file.is_complete:
        return [f"{file.host}:{path}"]
    if file.host == socket.gethostname():
        return [f"{file.host}:{path}"] if path.exists() else []
    return [f"{file.host}:{path}", f"{file.host}:{partial_of(path)}"]


def _erase(connection: Connection, user_no: int, user_id: str) -> dict[str, int]:
    """Delete the user's rows and the texts that no other user needs; return counts by table."""
    rows.lock_for_erasing(connection)
    erasing = Erasing(connection, user_no)
    prompts, queries = erasing.texts()
    erasing.own_rows()
    erasing.shard_members()
    erasing.rejects(user_id)
    erasing.unneeded(prompts, queries)
    erasing.user()
    return {table: n for table, n in sorted(erasing.rows.items()) if n}
