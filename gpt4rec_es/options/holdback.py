"""A holdback: a stable share of users that gets other lists, so that lists can be compared fairly.

Arms are the groups of users. A user's arm depends on the key and the user id alone, so it is the
same every night; another key draws other users.
"""

import re
from dataclasses import dataclass
from typing import Any

from gpt4rec_es.errors import UsageError

# A plain merge of the run's queries, the most bought items, or no list.
PAPER, POPULARITY, NOTHING = "paper", "popularity", "none"
ARMS = (PAPER, POPULARITY, NOTHING)
# All other users: the run's recipe.
RECIPE = "recipe"

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_HINT = "Write KEY:ARM=SHARE,..., as in autumn-2026:popularity=0.05,none=0.05."


@dataclass(frozen=True, slots=True)
class Holdback:
    """The key and the share of users of each arm, in the order of ``ARMS``; no arm: no holdback."""

    key: str = ""
    shares: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse shares that are no part of all users, and a key that cannot be read again."""
        if not self.shares:
            return
        names = [name for name, _ in self.shares]
        if (
            not _KEY.fullmatch(self.key)
            or not set(names) <= set(ARMS)
            or len({*names}) < len(names)
        ):
            raise UsageError(f"A holdback has a key, and each of {', '.join(ARMS)} once.", _HINT)
        total = sum(share for _, share in self.shares)
        if not all(share > 0 for _, share in self.shares) or not total <= 0.5:
            raise UsageError("A holdback takes more than 0 and at most half of the users.", _HINT)

    def as_dict(self) -> dict[str, Any]:
        """Return key and shares as JSON values."""
        return {"key": self.key, "arms": dict(self.shares)}


def read_holdback(text: str) -> Holdback:
    """Return the holdback that ``text`` describes; empty: none.

    Raises:
        ValueError: it is not KEY:ARM=SHARE,...
    """
    if not text.strip():
        return Holdback()
    key, _, arms = text.strip().partition(":")
    pairs = [part.partition("=") for part in arms.split(",")]
    try:
        given = [(name.strip(), float(share)) for name, _, share in pairs]
        order = {name: place for place, name in enumerate(ARMS)}
        return Holdback(key, tuple(sorted(given, key=lambda one: order.get(one[0], len(ARMS)))))
    except UsageError as error:
        raise ValueError(f"{error.message} {_HINT}".removesuffix(".")) from error
    except ValueError as error:
        raise ValueError(_HINT.removesuffix(".")) from error


def write_holdback(holdback: Holdback) -> str | None:
    """Return the text that ``read_holdback`` reads; None: there is no holdback."""
    if not holdback.shares:
        return None
    return f"{holdback.key}:" + ",".join(f"{name}={share:g}" for name, share in holdback.shares)
