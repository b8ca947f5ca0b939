"""Tables of what users bought after a night, compared with its lists: sums that name no user.

``quality_users`` is the exception: what a pruned run's lists are compared with for some weeks.
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gpt4rec_es.db.tables.base import metadata, now

_METHODS = ("published", "popularity", "newest_title")
_PARTS = ("rank", "source", "outcome")


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def judged_run() -> Column[int]:
    """Return the column of the run, part of the key."""
    return Column(
        "run_no", ForeignKey("runs.run_no"), primary_key=True, comment="run whose lists are judged"
    )


def list_age() -> Column[int]:
    """Return the column of the age of its lists, part of the key."""
    return Column(
        "age_days",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="number of days after planning whose purchases count: 1, 7 or 28",
    )


def _bound(name: str, what: str) -> Column[float]:
    return Column(name, REAL, comment=f"{what} of the 95 % interval; NULL: no user")


quality_days = Table(
    "quality_days",
    metadata,
    judged_run(),
    list_age(),
    Column("measured_on", Date, primary_key=True, comment="day of the measurement (UTC)"),
    Column(
        "history_version",
        BigInteger,
        nullable=False,
        comment="history version up to which purchases were read",
    ),
    Column(
        "is_complete",
        Boolean,
        nullable=False,
        comment="whether purchases from after the days that count were imported, too",
    ),
    Column(
        "n_users",
        Integer,
        nullable=False,
        comment="number of the run's users that bought an item that was new to them",
    ),
    Column("n_bought", Integer, nullable=False, comment="number of such items, summed over users"),
    now("measured_at", "time of the measurement"),
    CheckConstraint("age_days IN (1, 7, 28)", name="age_days"),
    comment=(
        "One row per run, age of its lists and day on which further purchases were found: what "
        "its users bought."
    ),
)

quality_methods = Table(
    "quality_methods",
    metadata,
    Column(
        "run_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="run whose lists are judged",
    ),
    list_age(),
    Column("measured_on", Date, primary_key=True, comment="day of the measurement (UTC)"),
    Column(
        "method",
        Text,
        primary_key=True,
        comment=(
            "published (the run's lists), popularity (its popular items) or newest_title (hits of "
            "the user's newest bought title in its build)"
        ),
    ),
    Column(
        "n_users",
        Integer,
        nullable=False,
        comment="number of users compared; fewer than in quality_days: a search is not stored",
    ),
    Column(
        "n_hit_users", Integer, nullable=False, comment="number of users that bought a listed item"
    ),
    Column("n_hits", Integer, nullable=False, comment="number of bought and listed items"),
    _bound("hit_rate_low", "lower bound of the hit rate, end"),
    _bound("hit_rate_high", "upper bound of the hit rate, end"),
    Column(
        "recall",
        REAL,
        comment="mean over users of the fraction of their bought items in the list; NULL: no user",
    ),
    _bound("recall_low", "lower bound of the recall, end"),
    _bound("recall_high", "upper bound of the recall, end"),
    Column(
        "gain",
        REAL,
        comment="hit rate of the published lists minus that of the method; NULL: no user",
    ),
    _bound("gain_low", "lower bound of the gain, end"),
    _bound("gain_high", "upper bound of the gain, end"),
    ForeignKeyConstraint(
        ["run_no", "age_days", "measured_on"],
        ["quality_days.run_no", "quality_days.age_days", "quality_days.measured_on"],
        ondelete="CASCADE",
        name="fk_quality_methods_quality_days",
    ),
    CheckConstraint(f"method IN ({_quoted(_METHODS)})", name="method"),
    comment="One row per row of quality_days and method: how often it listed what users bought.",
)

quality_parts = Table(
    "quality_parts",
    metadata,
    judged_run(),
    list_age(),
    Column(
        "part",
        Text,
        primary_key=True,
        comment="what the sums are taken by: rank, source or outcome",
    ),
    Column(
        "value",
        Text,
        primary_key=True,
        comment="the rank, the source of a recommendation, or the outcome of a user",
    ),
    Column(
        "n_judged",
        Integer,
        nullable=False,
        comment="number of recommendations (part outcome: users) of users that bought",
    ),
    Column(
        "n_hits",
        Integer,
        nullable=False,
        comment="number of those that were bought (part outcome: users that bought a listed item)",
    ),
    CheckConstraint(f"part IN ({_quoted(_PARTS)})", name="part"),
    comment="One row per run, age and rank, source or outcome, as of the last measurement.",
)

quality_users = Table(
    "quality_users",
    metadata,
    judged_run(),
    Column(
        "user_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="user of the run",
    ),
    Column("outcome", Text, nullable=False, comment="outcome of the run for the user"),
    Column(
        "title_item_nos",
        ARRAY(Integer),
        comment=(
            "best hits of the newest bought title that were new to the user, at most the run's k; "
            "NULL: the title was not searched"
        ),
    ),
    # Used to erase a user.
    Index("ix_quality_users_user_no", "user_no"),
    comment=(
        "One row per user of a pruned run whose lists are still judged; deleted with these lists."
    ),
)
