"""What the doctor says, and how a check that fails itself becomes one more finding."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from gpt4rec_es.db.engine import rights_error
from gpt4rec_es.errors import Gpt4RecError
from gpt4rec_es.logs import one_line, scrub


class Level(StrEnum):
    """How bad a finding is; the worst one decides the exit code."""

    OK = "ok"
    WARNING = "warning"  # works, but will hurt, or could not be looked at
    ERROR = "error"  # a night will not come through


EXIT_CODES = {Level.OK: 0, Level.WARNING: 1, Level.ERROR: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: the state and its remedy (empty: no problem). check: name of the check."""

    level: Level
    what: str
    way_out: str = ""
    check: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(what: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(Level.OK, what)


def warning(what: str, way_out: str) -> Finding:
    """Return a finding of what works, but will hurt."""
    return Finding(Level.WARNING, what, way_out)


def error(what: str, way_out: str) -> Finding:
    """Return a finding of what a night will not come through."""
    return Finding(Level.ERROR, what, way_out)


def look(name: str, check: Check) -> list[Finding]:
    """Return what ``check`` found, and as a finding of its own what it failed by.

    No finding holds a secret, whatever a server put into its message.
    """
    found: list[Finding] = []
    try:
        for one in check():
            found.append(one)  # noqa: PERF402 -- what was found before a failure is kept
    except Gpt4RecError as failure:
        found.append(error(failure.message, failure.hint))
    except Exception as raised:  # one part's fault must not hide what the others are like
        refused = rights_error(raised)
        first = str(raised).strip().partition("\n")[0]
        found.append(
            error(refused.message, refused.hint)
            if refused
            else error(
                f"This could not be looked at: {type(raised).__name__}: {first}",
                "See the log of that server; `gpt4rec --debug` of its own command shows more.",
            )
        )
    return [
        replace(
            one,
            check=name,
            what=one_line(scrub(one.what)),
            way_out=one_line(scrub(one.way_out)),
        )
        for one in found
    ]


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level there is; ok if there is none."""
    return max((one.level for one in findings), key=EXIT_CODES.__getitem__, default=Level.OK)
