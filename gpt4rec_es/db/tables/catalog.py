"""Tables of catalog, users, interactions and imports."""

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
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from gpt4rec_es.db.tables.base import at, id_text, metadata, now

items = Table(
    "items",
    metadata,
    Column(
        "item_no",
        Integer,
        Identity(),
        primary_key=True,
        comment="internal item number, given by the database",
    ),
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
        comment="whether the item may be recommended",
    ),
    Column(
        "is_trainable",
        Boolean,
        Computed("title IS NOT NULL AND char_length(title) <= 400", persisted=True),
        nullable=False,
        comment=(
            "whether the language model may be trained on the title: it has one of at "
            "most 400 characters"
        ),
    ),
    Column(
        "version",
        BigInteger,
        nullable=False,
        comment="catalog version of the last change of this row, see catalog_state",
    ),
    now("updated_at", "time of the last change of this row"),
    Column(
        "description",
        Text,
        comment="cleaned description, its first 4,000 characters; NULL: none",
    ),
    Index("ix_items_version", "version"),
    comment="One row per catalog item.",
)

users = Table(
    "users",
    metadata,
    Column(
        "user_no",
        Integer,
        Identity(),
        primary_key=True,
        comment="internal user number, given by the database",
    ),
    Column("user_id", id_text(), nullable=False, unique=True, comment="the shop's user id"),
    now("created_at", "time of the first import that named this user"),
    # A stored column, not an expression in the views, so that an index finds one user.
    Column(
        "shown_id",
        id_text(),
        nullable=False,
        unique=True,
        server_default=text("''"),
        comment="user id that analysts see: the shop's id or its pseudonym; filled by a trigger",
    ),
    Column(
        "attributes",
        JSONB,
        comment="attributes delivered by an import of users, as name -> value; NULL: none",
    ),
    comment="One row per user.",
)

interactions = Table(
    "interactions",
    metadata,
    Column("user_no", ForeignKey("users.user_no"), primary_key=True, comment="user of the event"),
    Column("item_no", ForeignKey("items.item_no"), primary_key=True, comment="item of the event"),
    Column(
        "event_no",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment=(
            "time of the event in microseconds since 1970 UTC; without a time, the "
            "delivered ordinal"
        ),
    ),
    Column(
        "ordinal",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="order among events of equal time, as delivered; 0: none delivered",
    ),
    at("event_at", "time of the event; NULL: only the order is known"),
    Column("rating", REAL, comment="rating of the item by the user, as delivered; NULL: none"),
    Column(
        "version",
        BigInteger,
        nullable=False,
        comment=(
            "history version that added this row, see catalog_state; a run reads rows up "
            "to its cut-off version"
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
        comment=(
            "number of imports that changed items; imports lock this row and run one "
            "after the other"
        ),
    ),
    Column(
        "history_version",
        BigInteger,
        nullable=False,
        comment="number of imports that added interactions",
    ),
    CheckConstraint("one_row", name="one_row"),
    comment=(
        "Exactly one row: versions of catalog and histories; a transaction that "
        "changes them raises them."
    ),
)

imports = Table(
    "imports",
    metadata,
    Column("import_no", BigInteger, Identity(), primary_key=True, comment="number of the import"),
    Column("kind", Text, nullable=False, comment="items, interactions or users"),
    Column("files", ARRAY(Text), nullable=False, comment="names of the files read"),
    Column(
        "state",
        Text,
        nullable=False,
        comment="running, done or failed; a failed import changed nothing",
    ),
    Column("actor", Text, nullable=False, comment="operator that started the import (login name)"),
    now("started_at", "start of the import"),
    at("finished_at", "end of the import; NULL: it is running, or its process was killed"),
    Column("records", BigInteger, comment="number of records read; NULL while running"),
    Column(
        "rejected",
        BigInteger,
        comment="number of records rejected, stored in import_rejects; NULL while running",
    ),
    Column("inserted", BigInteger, comment="number of rows inserted; NULL while running"),
    Column("updated", BigInteger, comment="number of rows updated; NULL while running"),
    Column(
        "notes",
        ARRAY(Text),
        comment="what the import found out about its files, left out and warned of; NULL: running",
    ),
    Column("error", Text, comment="error message of a failed import; NULL: it did not fail"),
    CheckConstraint("kind IN ('items', 'interactions', 'users')", name="kind"),
    CheckConstraint("state IN ('running', 'done', 'failed')", name="state"),
    comment="One row per import command.",
)

import_rejects = Table(
    "import_rejects",
    metadata,
    Column(
        "import_no",
        ForeignKey("imports.import_no"),
        primary_key=True,
        comment="the import that rejected the record",
    ),
    Column(
        "reject_no",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based order within the import",
    ),
    Column("file", Text, nullable=False, comment="name of the file with the record"),
    Column(
        "line",
        BigInteger,
        comment="1-based line (Parquet: row) where the record starts; NULL: unknown",
    ),
    Column("reason_code", Text, nullable=False, comment="short code of the reason, for GROUP BY"),
    Column("reason", Text, nullable=False, comment="description of the error in the record"),
    Column(
        "excerpt",
        Text,
        nullable=False,
        comment="first 200 bytes of the record, control characters escaped",
    ),
    comment="One row per record that an import rejected.",
)
