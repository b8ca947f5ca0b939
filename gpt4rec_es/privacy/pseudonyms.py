"""Switch the user ids that analysts see: the shop's own, or pseudonyms."""

import secrets

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import audit
from gpt4rec_es.db.rows import privacy as rows

# The block size of the hash: HMAC hashes longer keys first.
_KEY_BYTES = 64


def has_pseudonyms(engine: Engine) -> bool:
    """Return whether analysts see pseudonyms; ``engine`` is the owner's."""
    with transaction(engine) as connection:
        return rows.has_pseudonyms(connection)


def set_pseudonyms(engine: Engine, *, is_on: bool, actor: str) -> int:
    """Show pseudonyms or the shop's ids to analysts; return the number of changed users.

    The keys are created once and kept, so a user's pseudonym is the same when pseudonyms are shown
    again. ``engine`` is the owner's, because only the owner may read the keys.
    """
    inner, outer = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_KEY_BYTES)
    with transaction(engine) as connection:
        changed = rows.set_pseudonyms(connection, is_on=is_on, inner=inner, outer=outer)
        audit.record(connection, actor, "pseudonyms", "users", after={"is_on": is_on})
    return changed
