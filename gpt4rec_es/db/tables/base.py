"""What all tables share: metadata, how constraints are named, and kinds of columns.

Foreign keys stand wherever rows are few or kept: they cost about 3 microseconds a row, which is
little beside writing the row, and keep a prune from taking what a night just found. The per-run
partitions have none: their numbers come from rows locked in the same run, and dropping a
partition must not look at other tables.
"""

from sqlalchemy import Column, DateTime, MetaData, Text, func

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_text() -> Text:
    """Return the type of external ids: compared by bytes, so that ties break alike everywhere."""
    return Text(collation="C")


def now(name: str, comment: str) -> Column[object]:
    """Return a column that gets the time of its insert, even within one transaction."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
        comment=comment,
    )


def at(name: str, comment: str) -> Column[object]:
    """Return a column for a time that may not have come; the comment says what NULL means."""
    return Column(name, DateTime(timezone=True), comment=comment)
