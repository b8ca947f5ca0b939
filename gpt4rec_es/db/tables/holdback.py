"""Tables of users that a holdback gives other lists, and of what they bought."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text

from gpt4rec_es.db.tables.base import metadata
from gpt4rec_es.db.tables.quality import judged_run, list_age

holdback_users = Table(
    "holdback_users",
    metadata,
    Column(
        "run_no",
        ForeignKey("runs.run_no"),
        primary_key=True,
        comment="run that the row was frozen for",
    ),
    Column(
        "user_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="user that gets another list",
    ),
    Column(
        "arm",
        Text,
        nullable=False,
        comment="group of the holdback: paper, popularity or none (no list)",
    ),
    # Used to erase a user.
    Index("ix_holdback_users_user_no", "user_no"),
    CheckConstraint("arm IN ('paper', 'popularity', 'none')", name="arm"),
    comment="One row per run and user in an arm of its holdback; deleted with the run's lists.",
)

quality_arms = Table(
    "quality_arms",
    metadata,
    judged_run(),
    list_age(),
    Column(
        "arm",
        Text,
        primary_key=True,
        comment="recipe (users that are not held back), paper, popularity or none",
    ),
    Column("n_users", Integer, nullable=False, comment="number of the run's users in the arm"),
    Column(
        "n_buyers",
        Integer,
        nullable=False,
        comment="number of those that bought an item that was new to them",
    ),
    Column("n_bought", Integer, nullable=False, comment="number of such items, summed over users"),
    Column(
        "n_hit_users",
        Integer,
        nullable=False,
        comment="number of users that bought an item of their list",
    ),
    CheckConstraint("arm IN ('recipe', 'paper', 'popularity', 'none')", name="arm"),
    comment="One row per run with a holdback, age and arm, as of the last measurement.",
)
