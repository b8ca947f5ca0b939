"""Tables of named locks; see db/locks.py."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text

from gpt4rec_es.db.tables.base import metadata, now

locks = Table(
    "locks",
    metadata,
    Column("name", Text, primary_key=True, comment="name of the lock"),
    comment="One row per named lock. Its row is locked to take or to hold the lock.",
)

lock_holders = Table(
    "lock_holders",
    metadata,
    Column("name", Text, primary_key=True, comment="name of the lock"),
    Column(
        "mark",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="key of an advisory lock that only the holder's session has; random",
    ),
    Column("pid", Integer, nullable=False, comment="server process of the holder's session"),
    Column("is_shared", Boolean, nullable=False, comment="whether others may share the lock"),
    now("taken_at", "time when the lock was taken"),
    comment=(
        "One row per lock and session that holds it. A row whose session does not have the mark is "
        "of a process that was killed."
    ),
)
