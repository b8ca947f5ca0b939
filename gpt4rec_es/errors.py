"""The errors that users see; each is one line that says what is wrong and what to do.

The command line turns an error into its line and exit code. Programming mistakes are not among
these classes; they keep their traceback.
"""


class Gpt4RecError(Exception):
    """Base of all expected errors: ``message`` says what is wrong, ``hint`` what to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return message and hint as one line."""
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[type["Gpt4RecError"], tuple[str, str]]:
        """Pickle with both parts, for errors that cross a process boundary."""
        return (type(self), (self.message, self.hint))


def first_line(error: object) -> str:
    """Return the first line of an error's text without its end stop; its type if it has none."""
    text = str(error).strip().partition("\n")[0].rstrip(". ")
    return text if text not in {"", "None"} else type(error).__name__


def misfit(error: object) -> str:
    """Return why weights do not fit a network: torch's first line has its name alone."""
    first, *causes = [line.strip() for line in str(error).strip().splitlines()] or [""]
    return causes[0] if causes else first or type(error).__name__


class UsageError(Gpt4RecError):
    """The caller's request is invalid: a bad option, an unknown id, a bad setting."""

    exit_code = 2


class LostFilesError(UsageError):
    """Registered files are gone from where they were."""


class DataError(Gpt4RecError):
    """Input data is invalid, or has more rejects than allowed."""


class ConflictError(Gpt4RecError):
    """Another process holds a needed lock or state: a running night, a reindex."""


class LockedError(ConflictError):
    """Another process holds the lock of this name."""


class GateError(Gpt4RecError):
    """A gate rejected the run; the lists published before stay in place."""

    exit_code = 3


class DependencyError(Gpt4RecError):
    """A required server cannot be reached or reports that it cannot serve requests now.

    The worker releases its shard unchanged, and it is tried again later.
    """

    exit_code = 4


class LeaseLostError(Gpt4RecError):
    """Another worker holds this shard now: this worker drops its results and stores nothing."""
