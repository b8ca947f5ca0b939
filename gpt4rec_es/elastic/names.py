"""Names of indices and of the alias; only these are sent to Elasticsearch as index names."""

import re
import secrets
from datetime import UTC, datetime

from gpt4rec_es.errors import UsageError

_NAME = re.compile(r"[a-z0-9-]{1,80}")
# "-", 14 digits of time, "-", 6 hex digits
_SUFFIX_LENGTH = 22
_SUFFIX = r"-\d{14}-[0-9a-f]{6}"


def check_name(name: str) -> str:
    """Return ``name`` if it may be the name of an index or alias.

    Raises:
        UsageError: characters other than a-z, 0-9 and "-", a leading "-", or over 80 of them.
    """
    if not _NAME.fullmatch(name) or name.startswith("-"):
        raise UsageError(
            f"{name!r} cannot be the name of an index or alias.",
            "Use up to 80 of a-z, 0-9 and '-', not starting with '-'.",
        )
    return name


def new_index_name(alias: str, now: datetime | None = None) -> str:
    """Return a fresh name for an index behind ``alias``: alias, UTC time, random digits.

    Raises:
        UsageError: ``alias`` is no valid name, or too long to be extended.
    """
    if len(check_name(alias)) > 80 - _SUFFIX_LENGTH:
        raise UsageError(
            f"The alias {alias!r} is too long.", f"Use at most {80 - _SUFFIX_LENGTH} characters."
        )
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return check_name(f"{alias}-{moment:%Y%m%d%H%M%S}-{secrets.token_hex(3)}")


def is_index_of(alias: str, name: str) -> bool:
    """Return whether ``name`` looks like one made by ``new_index_name`` for ``alias``."""
    return re.fullmatch(re.escape(alias) + _SUFFIX, name) is not None
