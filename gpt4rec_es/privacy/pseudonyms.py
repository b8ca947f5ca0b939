"""Switching what analysts see as user ids: the shop's own, or pseudonyms that only we can make."""

import secrets

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import audit
from gpt4rec_es.db.rows import privacy as rows

# The block size of the hash: a longer key would only be cut.
_KEY_BYTES = 64


def has_pseudonyms(engine: Engine) -> bool:
    """Return whether analysts see pseudonyms; the owner's engine is needed."""
    with transaction(engine) as connection:
        return rows.has_pseudonyms(connection)


def set_pseudonyms(engine: Engine, *, is_on: bool, actor: str) -> int:
    """Show pseudonyms to analysts, or the shop's ids; return how many users changed.

    The keys are made once and stay, so a user's pseudonym is the same when they are shown again.
    ``engine`` is the owner's: nobody else may know the keys.
    """
    inner, outer = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_KEY_BYTES)
    with transaction(engine) as connection:
        changed = rows.set_pseudonyms(connection, is_on=is_on, inner=inner, outer=outer)
        audit.record(connection, actor, "pseudonyms", "users", after={"is_on": is_on})
    return changed
