"""The tree of errors a user can meet; each is one line that says what is wrong and the way out.

Nothing here formats for a terminal: the command line turns an error into its line and exit code.
Programming mistakes are not in this tree; they keep their traceback.
"""


class Gpt4RecError(Exception):
    """Base of all expected errors: ``message`` says what is wrong, ``hint`` the way out."""

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


class UsageError(Gpt4RecError):
    """The caller asked for something that cannot be: a bad option, an unknown id, a bad setting."""

    exit_code = 2


class DataError(Gpt4RecError):
    """Input data is wrong beyond what may be set aside as rejects."""


class ConflictError(Gpt4RecError):
    """Something else holds what this needs: a running night, a reindex under way."""


class GateError(Gpt4RecError):
    """A gate rejected the run; the lists published before stay in place."""

    exit_code = 3


class DependencyError(Gpt4RecError):
    """A server that is needed cannot be reached or answers that it cannot work now.

    Work that meets it is given back untouched and tried again later.
    """

    exit_code = 4


class LeaseLostError(Gpt4RecError):
    """Another worker holds this shard now: whatever this one has is dropped, nothing is stored."""
