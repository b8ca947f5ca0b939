"""Tables about personal data: whether analysts see pseudonyms, and where exports were written."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from gpt4rec_es.db.tables.base import metadata, now

privacy = Table(
    "privacy",
    metadata,
    Column("one_row", Boolean, primary_key=True, comment="always true"),
    Column("has_pseudonyms", Boolean, nullable=False, comment="whether analysts see pseudonyms"),
    Column("inner_key", LargeBinary, nullable=False, comment="secret of the inner hash"),
    Column("outer_key", LargeBinary, nullable=False, comment="secret of the outer hash"),
    CheckConstraint("one_row", name="one_row"),
    comment="At most one row, for the owner's eyes: the secrets of pseudonyms; none: never used.",
)

exports = Table(
    "exports",
    metadata,
    Column("export_no", BigInteger, Identity(), primary_key=True, comment="number of the export"),
    Column("host", Text, nullable=False, comment="machine it was written on"),
    Column("path", Text, nullable=False, comment="absolute path of the file"),
    Column("format", Text, nullable=False, comment="jsonl, csv, parquet, trec ..."),
    now("exported_at", "time it was written, last"),
    UniqueConstraint("host", "path"),
    comment="One row per file with user ids that was exported, so that a user can be erased there.",
)
