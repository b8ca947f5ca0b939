"""Table of what a run's stages counted."""

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from gpt4rec_es.db.tables.base import metadata

run_counts = Table(
    "run_counts",
    metadata,
    Column(
        "run_no",
        ForeignKey("runs.run_no", ondelete="CASCADE"),
        primary_key=True,
        comment="run whose work is counted",
    ),
    Column(
        "stage",
        Text,
        primary_key=True,
        comment="stage of the run: generate, embed, search or merge",
    ),
    Column(
        "name",
        Text,
        primary_key=True,
        comment=(
            "what is counted: members, tokens, queries, searches, users, listed, removed, "
            "pinned, boosted, errors or takeovers"
        ),
    ),
    Column(
        "detail",
        Text,
        primary_key=True,
        comment=(
            "users: the outcome; listed: the source; removed, pinned, boosted: the rule; "
            "errors: the class; else empty"
        ),
    ),
    Column("n", BigInteger, nullable=False, comment="the count"),
    comment=(
        "One row per run, stage and count: counts of the work done, summed over shards at its end."
    ),
)
