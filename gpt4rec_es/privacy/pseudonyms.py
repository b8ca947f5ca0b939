"""Switching what analysts see as user ids: the shop's own, or pseudonyms that only we can make."""

import secrets

from sqlalchemy import Engine, text

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import audit

# The block size of the hash: a longer key would only be cut.
_KEY_BYTES = 64


def has_pseudonyms(engine: Engine) -> bool:
    """Return whether analysts see pseudonyms; the owner's engine is needed."""
    with transaction(engine) as connection:
        found = connection.execute(text("SELECT has_pseudonyms FROM privacy")).scalar_one_or_none()
    return bool(found)


def set_pseudonyms(engine: Engine, *, is_on: bool, actor: str) -> int:
    """Show pseudonyms to analysts, or the shop's ids; return how many users changed.

    The keys are made once and stay, so a user's pseudonym is the same when they are shown again.
    ``engine`` is the owner's: nobody else may know the keys.
    """
    keys = {"inner": secrets.token_bytes(_KEY_BYTES), "outer": secrets.token_bytes(_KEY_BYTES)}
    with transaction(engine) as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        # An import must not add users by the old rule meanwhile.
        connection.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))
        connection.execute(
            text("""
            INSERT INTO privacy (one_row, has_pseudonyms, inner_key, outer_key)
            VALUES (true, :is_on, :inner, :outer)
            ON CONFLICT (one_row) DO UPDATE SET has_pseudonyms = excluded.has_pseudonyms
            """),
            {"is_on": is_on, **keys},
        )
        # The trigger that fills what is shown looks at the new state.
        changed = connection.execute(
            text("UPDATE users SET user_id = user_id WHERE (shown_id = user_id) = :is_on"),
            {"is_on": is_on},
        ).rowcount
        audit.record(connection, actor, "pseudonyms", "users", after={"is_on": is_on})
    return changed
