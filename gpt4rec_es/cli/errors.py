"""Exit code and message of an error: one line with its remedy."""

import sys

import click

from gpt4rec_es.errors import DependencyError, Gpt4RecError

# What means "a server cannot be reached" where a library's own error got through to here.
_DEPENDENCY_ERRORS = (
    ("sqlalchemy.exc", "OperationalError"),
    ("sqlalchemy.exc", "InterfaceError"),
    ("psycopg2", "OperationalError"),
    ("elastic_transport", "TransportError"),
    ("kombu.exceptions", "OperationalError"),
)


def describe(error: Exception) -> tuple[int, str]:
    """Return the exit code of ``error`` and its message: the problem and its remedy."""
    if isinstance(error, Gpt4RecError):
        return error.exit_code, str(error)
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "gpt4rec"
        message = error.format_message()
        end = "" if message.endswith((".", "?", "!")) else "."
        return error.exit_code, f"{message}{end} See `{path} --help`."
    if isinstance(error, click.ClickException):
        return error.exit_code, error.format_message()
    if refused := _rights_error(error):
        return refused.exit_code, str(refused)
    # A library may add a whole SQL statement or response; --debug shows it.
    first_line = str(error).strip().partition("\n")[0]
    if _is_dependency_error(error):
        return DependencyError.exit_code, (
            f"A server that is needed cannot be reached: {first_line}. "
            "See `gpt4rec config show`, and `gpt4rec stack status` for local servers."
        )
    return 1, (
        f"Unexpected {type(error).__name__}: {first_line}. This is a fault of the program; "
        "`gpt4rec --debug ...` shows where."
    )


def _rights_error(error: Exception) -> Gpt4RecError | None:
    """Return a Gpt4RecError if the database role lacks rights, else None."""
    if "sqlalchemy" not in sys.modules:
        return None
    from gpt4rec_es.db.engine import rights_error

    return rights_error(error)


def _is_dependency_error(error: Exception) -> bool:
    """Say so without importing a library: one that is not loaded cannot have raised."""
    for module, name in _DEPENDENCY_ERRORS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return True
    return False
