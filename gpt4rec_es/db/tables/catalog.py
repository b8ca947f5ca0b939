"""Tables of the catalog, the users and what they bought, and of the imports that filled them."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gpt4rec_es.db.tables.base import at, id_text, metadata, now

items = Table(
    "items",
    metadata,
    Column("item_no", Integer, Identity(), primary_key=True, comment="internal item number"),
    Column("item_id", id_text(), nullable=False, unique=True, comment="the shop's item id"),
    Column(
        "title",
        Text,
        comment="cleaned title; NULL: none usable, so neither searchable nor trainable",
    ),
    Column("title_raw", Text, comment="title as delivered; NULL: none delivered"),
    Column("brand", Text, comment="brand; NULL: unknown"),
    Column("category", Text, comment="category path, levels joined by ' > '; NULL: unknown"),
    Column("price", Numeric(12, 2), comment="price in the catalog's currency; NULL: unknown"),
    Column(
        "is_active",
        Boolean,
        nullable=False,
        server_default=text("true"),
        comment="false: may not be recommended",
    ),
    Column(
        "is_trainable",
        Boolean,
        Computed("title IS NOT NULL AND char_length(title) <= 400", persisted=True),
        nullable=False,
        comment=(
            "whether the language model may learn this title: there is one, of at most 400 "
            "characters"
        ),
    ),
    Column(
        "version",
        BigInteger,
        nullable=False,
        comment="catalog version of the last change of this row, see catalog_state",
    ),
    now("updated_at", "time of the last change of this row"),
    Index("ix_items_version", "version"),
    comment="One row per catalog item.",
)

users = Table(
    "users",
    metadata,
    Column("user_no", Integer, Identity(), primary_key=True, comment="internal user number"),
    Column("user_id", id_text(), nullable=False, unique=True, comment="the shop's user id"),
    now("created_at", "time of the first import that named this user"),
    # A column and no expression in the views, so that they find one user by an index.
    Column(
        "shown_id",
        id_text(),
        nullable=False,
        unique=True,
        server_default=text("''"),
        comment="what analysts see: the shop's id or its pseudonym; a trigger fills it",
    ),
    comment="One row per user.",
)

interactions = Table(
    "interactions",
    metadata,
    Column("user_no", ForeignKey("users.user_no"), primary_key=True, comment="who"),
    Column("item_no", ForeignKey("items.item_no"), primary_key=True, comment="what"),
    Column(
        "event_no",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment=(
            "when: microseconds since 1970 UTC where there is a time, otherwise the given ordinal"
        ),
    ),
    Column(
        "ordinal",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="order among events of equal time, as delivered; 0: none given",
    ),
    at("event_at", "time of the event; NULL: only an order is known"),
    Column("rating", REAL, comment="rating given; NULL: none"),
    Column(
        "version",
        BigInteger,
        nullable=False,
        comment=(
            "history version that added this row, see catalog_state; a run reads rows up to its "
            "own cut-off"
        ),
    ),
    Index("ix_interactions_item_no", "item_no"),
    comment=(
        "One row per user-item event. A history is read in order of (event_no, ordinal, item_id)."
    ),
)

catalog_state = Table(
    "catalog_state",
    metadata,
    Column(
        "one_row",
        Boolean,
        primary_key=True,
        comment="always true",
    ),
    Column(
        "catalog_version",
        BigInteger,
        nullable=False,
        comment="counts imports that changed items; the row lock makes them one after the other",
    ),
    Column(
        "history_version",
        BigInteger,
        nullable=False,
        comment="counts imports that added interactions",
    ),
    CheckConstraint("one_row", name="one_row"),
    comment=(
        "Exactly one row: the versions of catalog and histories, raised in the transaction that "
        "changes them."
    ),
)

imports = Table(
    "imports",
    metadata,
    Column("import_no", BigInteger, Identity(), primary_key=True, comment="number of the import"),
    Column("kind", Text, nullable=False, comment="items or interactions"),
    Column("files", ARRAY(Text), nullable=False, comment="names of the files read"),
    Column(
        "state",
        Text,
        nullable=False,
        comment="running, done or failed; a failed one changed nothing",
    ),
    Column("actor", Text, nullable=False, comment="who started it"),
    now("started_at", "start"),
    at("finished_at", "end; NULL: running, or its process was killed"),
    Column("records", BigInteger, comment="records read; NULL while running"),
    Column(
        "rejected", BigInteger, comment="records set aside in import_rejects; NULL while running"
    ),
    Column("inserted", BigInteger, comment="rows added; NULL while running"),
    Column("updated", BigInteger, comment="rows changed; NULL while running"),
    Column("error", Text, comment="why it failed; NULL: it did not"),
    CheckConstraint("kind IN ('items', 'interactions')", name="kind"),
    CheckConstraint("state IN ('running', 'done', 'failed')", name="state"),
    comment="One row per import command.",
)

import_rejects = Table(
    "import_rejects",
    metadata,
    Column("import_no", ForeignKey("imports.import_no"), primary_key=True, comment="the import"),
    Column(
        "reject_no",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based order within the import",
    ),
    Column("file", Text, nullable=False, comment="file name"),
    Column(
        "line",
        BigInteger,
        comment="1-based line (row for Parquet) where the record starts; NULL: unknown",
    ),
    Column("reason_code", Text, nullable=False, comment="short code to group by"),
    Column("reason", Text, nullable=False, comment="what is wrong, in words"),
    Column(
        "excerpt",
        Text,
        nullable=False,
        comment="first 200 bytes of the record, control characters escaped",
    ),
    comment="One row per record that an import set aside.",
)


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
