"""Tables of index builds, of the alias that points to one, and of searches in them."""

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
    Column("alias", Text, nullable=False, comment="the stable name it was built for"),
    Column(
        "kind",
        Text,
        nullable=False,
        comment="full (from the catalog) or derived (a clone with other k1, b)",
    ),
    Column(
        "parent_build_no",
        ForeignKey("builds.build_no"),
        comment="what a derived build was cloned from; NULL: full",
    ),
    Column(
        "state",
        Text,
        nullable=False,
        comment="building, ready, failed or deleted; only ready ones can be searched",
    ),
    Column(
        "catalog_version",
        BigInteger,
        nullable=False,
        comment="catalog version whose items it holds",
    ),
    Column("document_count", BigInteger, comment="documents in it; NULL until verified"),
    Column("k1", REAL, nullable=False, comment="BM25 k1"),
    Column("b", REAL, nullable=False, comment="BM25 b"),
    Column("mapping_hash", Text, nullable=False, comment="hash of mapping and analysis settings"),
    Column("actor", Text, nullable=False, comment="who asked for it"),
    Column("reason", Text, comment="why; NULL: not said"),
    now("created_at", "start of the build"),
    at("ready_at", "when it was verified; NULL: never"),
    at("deleted_at", "when its index was deleted; NULL: it was not"),
    Column("error", Text, comment="why it failed; NULL: it did not"),
    Column(
        "is_pinned",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="kept by hand: its index is never deleted",
    ),
    CheckConstraint("kind IN ('full', 'derived')", name="kind"),
    CheckConstraint("state IN ('building', 'ready', 'failed', 'deleted')", name="state"),
    comment=(
        "One row per index build. A ready build never changes; what is live is decided by "
        "alias_swaps."
    ),
)

alias_swaps = Table(
    "alias_swaps",
    metadata,
    Column("swap_no", Integer, Identity(), primary_key=True, comment="order of the swaps"),
    Column("alias", Text, nullable=False, comment="the alias that moved"),
    Column("from_build_no", ForeignKey("builds.build_no"), comment="live before; NULL: none"),
    Column("to_build_no", ForeignKey("builds.build_no"), nullable=False, comment="live after"),
    Column("action", Text, nullable=False, comment="reindex, bm25, undo or rollback"),
    Column("actor", Text, nullable=False, comment="who asked for it"),
    Column("reason", Text, comment="why; NULL: not said"),
    now("swapped_at", "time of the swap"),
    comment="One row per move of the alias.",
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
        comment="128-bit hash of the options",
    ),
    Column("options", JSONB, nullable=False, comment="options by name"),
    comment="One row per distinct set of search options, beyond index and depth.",
)

searches = Table(
    "searches",
    metadata,
    Column(
        "build_no", ForeignKey("builds.build_no"), primary_key=True, comment="the build searched"
    ),
    Column(
        "query_no",
        ForeignKey("queries.query_no"),
        primary_key=True,
        comment="the text searched for",
    ),
    Column("depth", Integer, primary_key=True, autoincrement=False, comment="hits asked for"),
    Column("item_nos", ARRAY(Integer), nullable=False, comment="hits, best first"),
    Column("scores", ARRAY(REAL), nullable=False, comment="BM25 scores, parallel to item_nos"),
    Column("is_exhausted", Boolean, nullable=False, comment="there are no further hits"),
    Column(
        "is_empty_query",
        Boolean,
        nullable=False,
        comment="no token of the text was left after analysis",
    ),
    now("searched_at", "time of the search"),
    # No foreign key: options are never deleted, and each of millions of rows would be checked.
    Column(
        "options_no",
        Integer,
        primary_key=True,
        autoincrement=False,
        server_default=text("0"),
        comment="how was searched, see search_options; 0: any term is enough",
    ),
    # For deleting a query, and for what merchandisers ask first: what finds nothing.
    Index("ix_searches_query_no", "query_no"),
    Index(
        "ix_searches_zero_hits", "build_no", "query_no", postgresql_where=text("item_nos = '{}'")
    ),
    comment="One row per search: build, query, depth and options.",
)
