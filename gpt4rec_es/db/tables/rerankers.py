"""Tables of re-rankers and of the vectors that they make of items and users."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from gpt4rec_es.db.tables.base import metadata, now

_VECTOR = "fixed-point vector: int16 multiples of 2^-10, lowest byte first; the last one is {}"

rerankers = Table(
    "rerankers",
    metadata,
    Column("reranker_no", Integer, Identity(), primary_key=True, comment="number of the re-ranker"),
    Column("name", Text, nullable=False, unique=True, comment="unique name of the re-ranker"),
    Column(
        "content_hash",
        Text,
        nullable=False,
        comment="hash of all files that decide its scores",
    ),
    Column("path", Text, nullable=False, comment="folder of the re-ranker"),
    Column(
        "gpt2",
        Text,
        comment="GPT-2 that reads metadata for it: a folder or a hub id; NULL: it reads none",
    ),
    Column(
        "width",
        SmallInteger,
        nullable=False,
        comment="number of components of a vector, that of the bias included",
    ),
    Column(
        "history_length",
        SmallInteger,
        nullable=False,
        comment="number of newest purchases that a user is read by",
    ),
    Column("card", JSONB, nullable=False, comment="JSON: training data, options and figures"),
    Column("actor", Text, nullable=False, comment="operator that registered it (login name)"),
    now("created_at", "time the re-ranker was registered"),
    Column(
        "vectors_version",
        BigInteger,
        comment="catalog version up to which all items have vectors; NULL: no night needed any yet",
    ),
    comment="One row per registered re-ranker; its content never changes.",
)

item_vectors = Table(
    "item_vectors",
    metadata,
    Column(
        "reranker_no",
        ForeignKey("rerankers.reranker_no", ondelete="CASCADE"),
        primary_key=True,
        comment="re-ranker that made the vector",
    ),
    Column("item_no", ForeignKey("items.item_no"), primary_key=True, comment="item of the vector"),
    Column(
        "catalog_version",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="catalog version since which the vector is that of the item",
    ),
    Column(
        "input_hash",
        LargeBinary,
        nullable=False,
        comment="128-bit hash of what the re-ranker read of the item",
    ),
    Column("vector", LargeBinary, nullable=False, comment=_VECTOR.format("the item's bias")),
    Column(
        "is_findable",
        Boolean,
        nullable=False,
        server_default=text("true"),
        comment="whether the item was active and had a title then, so that lists could have it",
    ),
    comment=(
        "One row per re-ranker, item and change of what it reads of the item. As of a catalog "
        "version, the row with the greatest one up to it counts. Items that it does not know have "
        "none."
    ),
)

run_user_vectors = Table(
    "run_user_vectors",
    metadata,
    Column(
        "run_no", Integer, primary_key=True, autoincrement=False, comment="run that made the vector"
    ),
    Column("user_no", Integer, primary_key=True, autoincrement=False, comment="user of the run"),
    Column("vector", LargeBinary, nullable=False, comment=_VECTOR.format("1")),
    comment=("One row per user with purchases of a run with a re-ranker. One partition per run."),
    postgresql_partition_by="LIST (run_no)",
)
