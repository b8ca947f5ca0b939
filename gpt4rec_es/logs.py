"""Logging: one line per event, with run and task, and without secrets.

``time level logger event key=value ... run=... task=...``, or the same as one JSON object. The
event is the log message; ``extra={...}`` of a log call becomes the keys. The finished line is
scrubbed, including arguments, exception texts and tracebacks.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO

from gpt4rec_es.masking import MASK

# Ids of tasks come from messages, which anyone with access to the broker can send.
_LONGEST_ID = 200
_run: ContextVar[str | None] = ContextVar("run", default=None)
_task: ContextVar[str | None] = ContextVar("task", default=None)

# Attributes that logging itself sets on a record are not extras of the caller.
_BUILTIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NEEDS_QUOTES = re.compile(r'[\s"=]|^$')
# C0 and C1 controls, line separators, and marks that reverse the direction of text: a title with
# them could change the terminal's display or imitate a log line.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_NAMED = r"(?:password|passwd|pwd|api[_-]?key|secret)"
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s,;&)\]}"']+)"""
_SECRET_KEY = re.compile(rf"(?i)[\w-]*{_NAMED}")
_WORD = re.compile(r"""[^\s"']+""")
_USER = re.compile(r"://[^:@/]*:")
# Every pattern takes time linear in the length of the text.
_PATTERNS = [
    (re.compile(rf"(?i)({_NAMED}[\"']?\s*[=:]\s*){_VALUE}"), rf"\g<1>{MASK}"),
    (re.compile(r"(?i)(\bpassword\s+)'(?:[^']|'')*'"), rf"\g<1>'{MASK}'"),
    (re.compile(r"(?i)(\b(?:apikey|basic|bearer)\s+)[\w+/=.~-]{8,}"), rf"\g<1>{MASK}"),
    # If a password has an unescaped delimiter, libpq parses a part of it as port or host.
    (re.compile(r'(invalid integer value )"[^"]*"'), rf'\g<1>"{MASK}"'),
    (re.compile(r"""(host name\s+["'])[^"'\s]*@"""), rf"\g<1>{MASK}@"),
    (re.compile(r'(invalid percent-encoded token: )"[^"]*"'), rf'\g<1>"{MASK}"'),
    (re.compile(r"(invalid literal for int\(\) with base 10: )'[^']*'"), rf"\g<1>'{MASK}'"),
]
# Shorter secrets are not replaced inside words, because they occur in ordinary words.
_SHORTEST_SECRET = 4
# A line of a log is read by people: longer texts are cut.
_LONGEST = 20_000
_LONGEST_READ = 1_000_000
_known: set[str] = set()
_known_pattern: re.Pattern[str] | None = None


def register_secrets(secrets: Iterable[str]) -> None:
    """Make :func:`scrub` replace these texts too, in this process."""
    global _known_pattern  # noqa: PLW0603 - one process has one set of secrets
    # Also as an error may show them: line by line, and with escapes.
    forms = {form for text in secrets for form in (text, repr(text)[1:-1], *text.split())}
    _known.update(form for form in forms if len(form) >= _SHORTEST_SECRET)
    longest_first = sorted(_known, key=lambda text: (-len(text), text))
    either = "|".join(map(re.escape, longest_first))
    # Whole words only: a password "test" must not change "latest".
    _known_pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{either})(?![A-Za-z0-9])") if either else None


def scrub(text: str) -> str:
    """Return ``text`` without registered secrets and without patterns of secrets."""
    if _known_pattern is not None:
        text = _known_pattern.sub(MASK, text)
    length = len(text)
    text = text[:_LONGEST_READ]
    if "://" in text:
        text = _WORD.sub(_mask_word, text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    if len(text) <= _LONGEST:
        return text
    # At a space, after masking: no secret is cut in two and not recognized.
    return f"{text[:_LONGEST].rpartition(' ')[0]}... ({length:,} characters)"


def _mask_word(found: re.Match[str]) -> str:
    """Mask scheme://user:password@, up to the last @ of the word, to include an unescaped @."""
    word = found[0]
    user = _USER.search(word)
    end = word.rfind("@")
    # The placeholder of a hint is no secret.
    if user is None or end < user.end() or word[user.end() : end].lower() == "password":
        return word
    return word[: user.end()] + MASK + word[end:]


def one_line(text: str) -> str:
    """Return ``text`` with every control character, including line breaks, escaped."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


@contextmanager
def log_context(run: str | None = None, task: str | None = None) -> Iterator[None]:
    """Add run and task to every log line of this block; None keeps the outer value."""
    tokens = [
        (variable, variable.set(value))
        for variable, value in ((_run, run), (_task, task and task[:_LONGEST_ID]))
        if value is not None
    ]
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)


class _LineFormatter(logging.Formatter):
    """Formats a record as one scrubbed line, text or JSON."""

    def __init__(self, fmt: Literal["text", "json"]) -> None:
        super().__init__()
        self._write = _as_json if fmt == "json" else _as_text

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``, without a line end."""
        extras = {key: value for key, value in vars(record).items() if key not in _BUILTIN}
        extras |= {"run": _run.get(), "task": _task.get()}
        extras = {key: value for key, value in extras.items() if value is not None}
        if record.exc_info and record.exc_info[0] is not None:
            extras["exception"] = self.formatException(record.exc_info)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return self._write(at, record, extras)


def _as_text(at: str, record: logging.LogRecord, extras: dict[str, Any]) -> str:
    parts = [at, record.levelname, record.name, scrub(_message(record))]
    for key, value in extras.items():
        text = str(_clean(key, value))
        quoted = json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES.search(text) else text
        parts.append(f"{key}={quoted}")
    return one_line(" ".join(parts))


def _as_json(at: str, record: logging.LogRecord, extras: dict[str, Any]) -> str:
    line = {"time": at, "level": record.levelname, "logger": record.name}
    line |= {"event": _message(record)} | extras
    return json.dumps({key: _clean(key, value) for key, value in line.items()})


def _message(record: logging.LogRecord) -> str:
    """Return the message; if formatting fails, the template, since arguments may hold secrets."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} (its arguments do not fit)"


def _clean(key: str, value: Any) -> Any:
    """Return ``value`` scrubbed and JSON-serializable; numbers and booleans are unchanged.

    Called before quoting, because a secret that contains a quote would be escaped.
    """
    if _SECRET_KEY.fullmatch(key):
        return MASK
    return value if isinstance(value, bool | int | float) else scrub(str(value))


class _StderrHandler(logging.Handler):
    """Writes to the current sys.stderr, which a progress bar replaces while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of ``record``."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except OSError:
            pass  # stderr is closed


def setup_logging(
    level: str = "INFO", fmt: Literal["text", "json"] = "text", stream: TextIO | None = None
) -> None:
    """Send every log line of this process to ``stream`` (None: stderr); replaces earlier setup.

    Warnings and uncaught exceptions of threads become log lines as well, so that they are scrubbed.
    """
    handler: logging.Handler = _StderrHandler() if stream is None else logging.StreamHandler(stream)
    handler.setFormatter(_LineFormatter(fmt))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, _LineFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # At INFO these log every request; failures are raised as errors of this program.
    for chatty in ("urllib3", "httpx", "filelock"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    # It warns of every refused connection, which our loops retry or report.
    logging.getLogger("elastic_transport").setLevel(max(logging.ERROR, root.level))
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_error
    sys.excepthook = _log_error


def _log_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger("gpt4rec").critical("uncaught error", exc_info=(kind, error, trace))


def _log_thread_error(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        _log_error(args.exc_type, args.exc_value, args.exc_traceback)
