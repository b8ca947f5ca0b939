"""Exit code and message of an error: one line with its remedy."""

import errno
import os
import sys

import click

from gpt4rec_es.errors import DependencyError, Gpt4RecError, UsageError, first_line

# What means "a server cannot be reached" where a library's own error got through to here.
_DEPENDENCY_ERRORS = (
    ("sqlalchemy.exc", "OperationalError"),
    ("sqlalchemy.exc", "InterfaceError"),
    ("psycopg2", "OperationalError"),
    ("elastic_transport", "TransportError"),
    ("kombu.exceptions", "OperationalError"),
)
_OUR_FAULT = "This is a fault of the program; `gpt4rec --debug ...` shows where."
# SQLSTATE -> problem and remedy, where the server answered and refused a statement.
_REFUSED_STATEMENTS = {
    "57014": "A database statement took longer than allowed and was cancelled. Try again when "
    "fewer processes use the database.",
    "40001": "Another process changed the same rows meanwhile. Try again.",
    "40P01": "Another process changed the same rows meanwhile. Try again.",
    "55P03": "Another process holds a lock on the same rows. Try again.",
}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED_FILES = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EISDIR,
    errno.ENOTDIR,
}
# What libpq says of an address that it cannot read.
_BAD_ADDRESS = ("invalid dsn", "invalid connection option", "invalid sslmode value")


def describe(error: Exception) -> tuple[int, str]:
    """Return the exit code of ``error`` and its message: the problem and its remedy."""
    if isinstance(error, Gpt4RecError):
        return error.exit_code, str(error)
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "gpt4rec"
        # click puts the choices of a missing option on lines of their own.
        message = " ".join(error.format_message().split())
        end = "" if message.endswith((".", "?", "!")) else "."
        return error.exit_code, f"{message}{end} See `{path} --help`."
    if isinstance(error, click.ClickException):
        return error.exit_code, error.format_message()
    # A library may add a whole SQL statement or response; --debug shows it.
    first = first_line(error)
    return (
        _database_refusal(error, first)
        or _outage(error, first)
        or _file_refusal(error)
        or (1, f"Unexpected {type(error).__name__}: {first}. {_OUR_FAULT}")
    )


def _database_refusal(error: Exception, first: str) -> tuple[int, str] | None:
    """Return code and message if Postgres or its client refuses what was asked, else None."""
    if refused := _rights_error(error):
        return refused.exit_code, str(refused)
    state = getattr(getattr(error, "orig", None) or error, "pgcode", None)
    if state in _REFUSED_STATEMENTS:
        return 1, _REFUSED_STATEMENTS[state]
    if any(text in first for text in _BAD_ADDRESS):
        return UsageError.exit_code, f"DATABASE_URL cannot be used: {first}."
    return None


def _outage(error: Exception, first: str) -> tuple[int, str] | None:
    """Return code and message if a library's error means that a server is away, else None."""
    if not _is_dependency_error(error):
        return None
    return DependencyError.exit_code, (
        f"A server that is needed cannot be reached: {first}. "
        "See `gpt4rec config show`, and `gpt4rec stack status` for local servers."
    )


def _file_refusal(error: Exception) -> tuple[int, str] | None:
    """Return code and message if a disk is full or a file's rights forbid it, else None."""
    if not isinstance(error, OSError) or error.errno not in _FULL | _REFUSED_FILES:
        return None
    where = f" ({error.filename})" if error.filename else ""
    hint = "Free disk space" if error.errno in _FULL else "Check the file and its rights"
    return 1, f"{os.strerror(error.errno)}{where}. {hint}, or name another folder."


def _rights_error(error: Exception) -> Gpt4RecError | None:
    """Return a Gpt4RecError if the database role lacks rights, else None."""
    if "sqlalchemy" not in sys.modules:
        return None
    from gpt4rec_es.db.errors import rights_error

    return rights_error(error)


def _is_dependency_error(error: Exception) -> bool:
    """Say so without importing a library: one that is not loaded cannot have raised."""
    for module, name in _DEPENDENCY_ERRORS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return True
    return False
