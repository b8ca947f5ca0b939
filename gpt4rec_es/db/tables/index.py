"""Tables of index builds, alias swaps and searches."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from gpt4rec_es.db.tables.base import at, id_text, metadata, now

builds = Table(
    "builds",
    metadata,
    Column("build_no", Integer, Identity(), primary_key=True, comment="number of the build"),
    Column(
        "index_name",
        id_text(),
        nullable=False,
        unique=True,
        comment="name of the concrete Elasticsearch index",
    ),
    Column("index_uuid", Text, comment="Elasticsearch's uuid of the index; NULL until created"),
    Column(
        "alias", Text, nullable=False, comment="Elasticsearch alias that the index was built for"
    ),
    Column(
        "kind",
        Text,
        nullable=False,
        comment="full (from the catalog) or derived (a clone with other k1, b or synonyms)",
    ),
    Column(
        "parent_build_no",
        ForeignKey("builds.build_no"),
        comment="build that a derived build was cloned from; NULL: the build is full",
    ),
    Column(
        "state",
        Text,
        nullable=False,
        comment="building, ready, failed or deleted; only ready builds can be searched",
    ),
    Column(
        "catalog_version",
        BigInteger,
        nullable=False,
        comment="catalog version whose items the index holds",
    ),
    Column(
        "document_count",
        BigInteger,
        comment="number of documents in the index; NULL until verified",
    ),
    Column("k1", REAL, nullable=False, comment="BM25 k1 of the index"),
    Column("b", REAL, nullable=False, comment="BM25 b of the index"),
    Column(
        "mapping_hash",
        Text,
        nullable=False,
        comment="hash of the index's mapping and analysis settings",
    ),
    Column("actor", Text, nullable=False, comment="operator that started the build (login name)"),
    Column("reason", Text, comment="reason that the operator gave; NULL: none"),
    now("created_at", "start of the build"),
    at("ready_at", "time the index was verified; NULL: never"),
    at("deleted_at", "time the index was deleted; NULL: it was not"),
    Column("error", Text, comment="error message of a failed build; NULL: it did not fail"),
    Column(
        "is_pinned",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="whether an operator pinned the build: its index is never deleted",
    ),
    Column(
        "encoder_no",
        ForeignKey("encoders.encoder_no"),
        comment="encoder whose vectors of titles the index holds; NULL: it holds none",
    ),
    Column(
        "field_bm25",
        JSONB(none_as_null=True),
        comment="JSON: [k1, b] by field beside the title; NULL: all have 1.2 and 0.75",
    ),
    CheckConstraint("kind IN ('full', 'derived')", name="kind"),
    CheckConstraint("state IN ('building', 'ready', 'failed', 'deleted')", name="state"),
    comment=(
        "One row per index build. A ready build never changes; alias_swaps decides "
        "which build is live."
    ),
)

alias_swaps = Table(
    "alias_swaps",
    metadata,
    Column(
        "swap_no",
        Integer,
        Identity(),
        primary_key=True,
        comment="number of the swap, ascending in time",
    ),
    Column("alias", Text, nullable=False, comment="Elasticsearch alias that was moved"),
    Column(
        "from_build_no",
        ForeignKey("builds.build_no"),
        comment="build that was live before the swap; NULL: none",
    ),
    Column(
        "to_build_no",
        ForeignKey("builds.build_no"),
        nullable=False,
        comment="build that is live after the swap",
    ),
    Column(
        "action",
        Text,
        nullable=False,
        comment="command that moved the alias: reindex, bm25, synonyms, undo or rollback",
    ),
    Column("actor", Text, nullable=False, comment="operator that moved the alias (login name)"),
    Column("reason", Text, comment="reason that the operator gave; NULL: none"),
    now("swapped_at", "time of the swap"),
    comment="One row per swap of the Elasticsearch alias to another index.",
)

search_options = Table(
    "search_options",
    metadata,
    Column(
        "options_no",
        Integer,
        Identity(),
        primary_key=True,
        comment="number of the options, from 1 on",
    ),
    Column(
        "options_hash",
        LargeBinary,
        nullable=False,
        unique=True,
        comment="128-bit hash of the search options",
    ),
    Column("options", JSONB, nullable=False, comment="JSON: search options by name"),
    comment="One row per distinct set of search options other than index and depth.",
)

searches = Table(
    "searches",
    metadata,
    Column(
        "build_no",
        ForeignKey("builds.build_no"),
        primary_key=True,
        comment="index build that was searched",
    ),
    Column(
        "query_no",
        ForeignKey("queries.query_no"),
        primary_key=True,
        comment="query text that was searched for",
    ),
    Column(
        "depth", Integer, primary_key=True, autoincrement=False, comment="number of hits requested"
    ),
    Column("item_nos", ARRAY(Integer), nullable=False, comment="items found, best first"),
    Column(
        "scores",
        ARRAY(REAL),
        nullable=False,
        comment="scores, parallel to item_nos: by BM25, or (1 + cosine) / 2 of vectors",
    ),
    Column(
        "is_exhausted",
        Boolean,
        nullable=False,
        comment="whether the index has no further hits for the query",
    ),
    Column(
        "is_empty_query",
        Boolean,
        nullable=False,
        comment="whether analysis left no token of the query text",
    ),
    now("searched_at", "time of the search"),
    # No foreign key: options are never deleted, and the check would cost time on millions of rows.
    Column(
        "options_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        server_default=text("0"),
        comment=(
            "search options, see search_options; 0: a title needs only one of the query's terms"
        ),
    ),
    # Used to delete a query, and for queries without hits.
    Index("ix_searches_query_no", "query_no"),
    Index(
        "ix_searches_zero_hits", "build_no", "query_no", postgresql_where=text("item_nos = '{}'")
    ),
    comment="One row per search: build, query, depth and options.",
)
