"""Findings of the doctor; an exception in a check becomes a finding as well."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gpt4rec_es.db.errors import rights_error
from gpt4rec_es.errors import DependencyError, Gpt4RecError, first_line
from gpt4rec_es.logs import one_line, scrub


class Level(StrEnum):
    """Severity of a finding; the worst one decides the exit code."""

    OK = "ok"
    WARNING = "warning"  # works with a risk, or could not be checked
    ERROR = "error"  # a night will fail


EXIT_CODES = {Level.OK: 0, Level.WARNING: 1, Level.ERROR: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: the state and its remedy (empty: no problem). check: name of the check.

    is_outage: the server of the check does not answer.
    """

    level: Level
    what: str
    way_out: str = ""
    check: str = ""
    is_outage: bool = field(default=False, compare=False)


Check = Callable[[], Iterable[Finding]]


def ok(what: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(Level.OK, what)


def warning(what: str, way_out: str) -> Finding:
    """Return a finding about something that works but carries a risk."""
    return Finding(Level.WARNING, what, way_out)


def error(what: str, way_out: str) -> Finding:
    """Return a finding about something that makes a night fail."""
    return Finding(Level.ERROR, what, way_out)


def run_check(name: str, check: Check) -> list[Finding]:
    """Return the findings of ``check``, and its exception, if any, as one more finding.

    Secrets in a server's message are masked.
    """
    found: list[Finding] = []
    try:
        for one in check():
            found.append(one)  # noqa: PERF402 -- what was found before a failure is kept
    except Gpt4RecError as failure:
        is_outage = isinstance(failure, DependencyError)
        found.append(replace(error(failure.message, failure.hint), is_outage=is_outage))
    except Exception as raised:  # an error in one check must not hide the results of the others
        refused = rights_error(raised)
        found.append(
            error(refused.message, refused.hint)
            if refused
            else error(
                f"This could not be looked at: {type(raised).__name__}: {first_line(raised)}.",
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
    """Return the worst level of the findings; OK if there are none."""
    return max((one.level for one in findings), key=EXIT_CODES.__getitem__, default=Level.OK)
