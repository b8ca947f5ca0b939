"""Tables of what gates measure: values per run, and the users whose last purchase is hidden."""

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from gpt4rec_es.db.tables.base import metadata, now

run_measures = Table(
    "run_measures",
    metadata,
    Column(
        "run_no",
        ForeignKey("runs.run_no", ondelete="CASCADE"),
        primary_key=True,
        comment="run that was measured",
    ),
    Column("measure", Text, primary_key=True, comment="name of the measure"),
    Column("value", Double, comment="the measured value; NULL: there was nothing to measure it on"),
    Column(
        "n",
        BigInteger,
        nullable=False,
        comment="number of users, places, queries or items that the value is measured on",
    ),
    Column(
        "usual",
        Double,
        comment=(
            "median of the measure over the nights published last before the run by the same "
            "recipe, generator and rules, 7 at most; NULL: fewer than 3 have it"
        ),
    ),
    now("measured_at", "time of the measurement"),
    comment=(
        "One row per run and measure: what gates measured. Stays when the run's lists are pruned."
    ),
)

held_out_users = Table(
    "held_out_users",
    metadata,
    Column(
        "run_no",
        ForeignKey("runs.run_no", ondelete="CASCADE"),
        primary_key=True,
        comment="run that the user belongs to",
    ),
    Column(
        "user_no",
        ForeignKey("users.user_no"),
        primary_key=True,
        comment="user of the run's cohort",
    ),
    Column(
        "target_item_no",
        ForeignKey("items.item_no"),
        nullable=False,
        comment="the hidden purchase",
    ),
    Column(
        "prompt_no",
        ForeignKey("prompts.prompt_no"),
        comment="prompt without the hidden purchase; NULL: the user has none",
    ),
    Column(
        "last_query_no",
        ForeignKey("queries.query_no"),
        comment="newest title before the hidden purchase, as a query; NULL: there is none",
    ),
    Column(
        "bought_item_nos",
        ARRAY(Integer),
        nullable=False,
        comment="the other purchases, each item once, newest first",
    ),
    # Deleting a prompt, query or user looks for rows that refer to it.
    Index("ix_held_out_users_prompt_no", "prompt_no"),
    Index("ix_held_out_users_last_query_no", "last_query_no"),
    Index("ix_held_out_users_user_no", "user_no"),
    comment=(
        "One row per user of a run's sample whose last purchase is hidden, to measure how "
        "often the run's recipe finds it."
    ),
)
