"""Metadata of all tables, names of constraints, and helpers for common columns.

Tables have foreign keys, which cost about 3 microseconds per row and prevent a prune from deleting
rows that a night just referred to. The per-run partitions have none: their numbers come from rows
locked in the same run, and dropping a partition must not check other tables.
"""

from sqlalchemy import REAL, Column, DateTime, Integer, MetaData, Text, func

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
    """Return the type of external ids: text compared by bytes, so that tie-breaks are stable."""
    return Text(collation="C")


def now(name: str, comment: str) -> Column[object]:
    """Return a column with the clock time of its insert as default, not the transaction's start."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
        comment=comment,
    )


def at(name: str, comment: str) -> Column[object]:
    """Return a nullable column for a time; the comment says what NULL means."""
    return Column(name, DateTime(timezone=True), comment=comment)


def first_query_columns() -> tuple[Column[int], Column[float]]:
    """Return the columns of how much the first queries of users differ."""
    return (
        Column(
            "distinct_first_queries",
            Integer,
            comment="number of distinct first queries of users, before filters; NULL: not counted",
        ),
        Column(
            "top_first_query_fraction",
            REAL,
            comment=(
                "fraction of the users with a query whose first query is the most frequent one, "
                "before filters; NULL: not counted, or no user has a query"
            ),
        ),
    )


def progress_columns() -> tuple[Column[int], Column[object], Column[float]]:
    """Return the columns of the users that a run serves first, and of how long it worked."""
    return (
        Column(
            "canary_users",
            Integer,
            comment=(
                "number of users that are served and judged before all others; NULL: the run has "
                "no canary"
            ),
        ),
        at("canary_passed_at", "time the other users were let follow; NULL: no canary, or not yet"),
        Column(
            "work_s",
            REAL,
            comment=(
                "seconds from the start to the end of the run's work, without waiting for an "
                "operator; NULL: unfinished, or ended before this was kept"
            ),
        ),
    )
