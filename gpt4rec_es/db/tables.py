"""Every base table, with a comment on each table and column; the migrations follow this module.

No queries here. Keys carry the design: what is expensive is stored under what it depends on (a
generation under prompt, generator and decoding; a search under build, query and depth), so a retry
is harmless by key and a night computes only what is missing. See docs/architecture.md.
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id_text() -> Text:
    """External ids compare by bytes, so that ties break alike here, in Python and in the index."""
    return Text(collation="C")


def _now(name: str, comment: str) -> Column[object]:
    return Column(
        name,
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
        comment=comment,
    )


def _at(name: str, comment: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), comment=comment)


# ---------------------------------------------------------------- catalog and histories

items = Table(
    "items",
    metadata,
    Column("item_no", Integer, Identity(), primary_key=True, comment="internal item number"),
    Column("item_id", _id_text(), nullable=False, unique=True, comment="the shop's item id"),
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
        comment="whether the language model may learn this title: there is one, of at most 400 characters",
    ),
    Column(
        "version",
        BigInteger,
        nullable=False,
        comment="catalog version of the last change of this row, see catalog_state",
    ),
    _now("updated_at", "time of the last change of this row"),
    Index("ix_items_version", "version"),
    comment="One row per catalog item.",
)

users = Table(
    "users",
    metadata,
    Column("user_no", Integer, Identity(), primary_key=True, comment="internal user number"),
    Column("user_id", _id_text(), nullable=False, unique=True, comment="the shop's user id"),
    _now("created_at", "time of the first import that named this user"),
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
        comment="when: microseconds since 1970 UTC where there is a time, otherwise the given ordinal",
    ),
    Column(
        "ordinal",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="order among events of equal time, as delivered; 0: none given",
    ),
    _at("event_at", "time of the event; NULL: only an order is known"),
    Column("rating", REAL, comment="rating given; NULL: none"),
    Column(
        "version",
        BigInteger,
        nullable=False,
        comment="history version that added this row, see catalog_state; a run reads rows up to its own cut-off",
    ),
    Index("ix_interactions_item_no", "item_no"),
    comment="One row per user-item event. A history is read in order of (event_no, ordinal, item_id).",
)

catalog_state = Table(
    "catalog_state",
    metadata,
    Column(
        "one_row",
        Boolean,
        CheckConstraint("one_row", name="one_row"),
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
    comment="Exactly one row: the versions of catalog and histories, raised in the transaction that changes them.",
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
    _now("started_at", "start"),
    _at("finished_at", "end; NULL: running, or its process was killed"),
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

# ---------------------------------------------------------------- index builds

builds = Table(
    "builds",
    metadata,
    Column("build_no", Integer, Identity(), primary_key=True, comment="number of the build"),
    Column(
        "index_name",
        _id_text(),
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
    _now("created_at", "start of the build"),
    _at("ready_at", "when it was verified; NULL: never"),
    _at("deleted_at", "when its index was deleted; NULL: it was not"),
    Column("error", Text, comment="why it failed; NULL: it did not"),
    CheckConstraint("kind IN ('full', 'derived')", name="kind"),
    CheckConstraint("state IN ('building', 'ready', 'failed', 'deleted')", name="state"),
    comment="One row per index build. A ready build never changes; what is live is decided by alias_swaps.",
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
    _now("swapped_at", "time of the swap"),
    comment="One row per move of the alias.",
)

# ---------------------------------------------------------------- generation

generators = Table(
    "generators",
    metadata,
    Column(
        "generator_no", Integer, Identity(), primary_key=True, comment="number of the generator"
    ),
    Column("name", Text, nullable=False, unique=True, comment="name to call it by"),
    Column("kind", Text, nullable=False, comment="gpt2 (a checkpoint folder) or titles (no model)"),
    Column("path", Text, comment="checkpoint folder; NULL: kind titles"),
    Column(
        "content_hash", Text, nullable=False, comment="hash of weights, configuration and tokenizer"
    ),
    Column(
        "is_current",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="used by the next night",
    ),
    Column("card", JSONB, nullable=False, comment="training data, figures, seed and code version"),
    _now("created_at", "time of registration"),
    Index(
        "ix_generators_is_current", "is_current", unique=True, postgresql_where=text("is_current")
    ),
    CheckConstraint("kind IN ('gpt2', 'titles')", name="kind"),
    comment="One row per registered query generator; at most one is current.",
)

decodings = Table(
    "decodings",
    metadata,
    Column("decoding_no", Integer, Identity(), primary_key=True, comment="number of the settings"),
    Column(
        "settings_hash",
        LargeBinary,
        nullable=False,
        unique=True,
        comment="128-bit hash of the settings",
    ),
    Column("settings", JSONB, nullable=False, comment="decoding settings by name"),
    comment="One row per distinct set of decoding settings.",
)

prompts = Table(
    "prompts",
    metadata,
    Column("prompt_no", BigInteger, Identity(), primary_key=True, comment="number of the prompt"),
    Column(
        "prompt_hash", LargeBinary, nullable=False, unique=True, comment="128-bit hash of the text"
    ),
    Column("text", Text, nullable=False, comment="what the generator reads"),
    Column(
        "n_tokens",
        Integer,
        nullable=False,
        comment="length for the tokenizer that first made it; orders batches",
    ),
    _now("created_at", "time of the first night that needed it"),
    comment="One row per distinct prompt text.",
)

generations = Table(
    "generations",
    metadata,
    Column(
        "generation_no",
        BigInteger,
        Identity(),
        primary_key=True,
        comment="number of the generation",
    ),
    Column(
        "prompt_no",
        ForeignKey("prompts.prompt_no"),
        nullable=False,
        comment="read by the generator",
    ),
    Column(
        "content_hash", Text, nullable=False, comment="content hash of the generator that wrote it"
    ),
    Column(
        "decoding_no",
        ForeignKey("decodings.decoding_no"),
        nullable=False,
        comment="how it was decoded",
    ),
    Column("n_queries", SmallInteger, nullable=False, comment="queries in generated_queries"),
    Column(
        "tokens_generated",
        Integer,
        nullable=False,
        comment="tokens of all hypotheses before collapsing; 0: no model",
    ),
    _now("created_at", "time of writing"),
    UniqueConstraint("prompt_no", "content_hash", "decoding_no"),
    comment="One row per prompt, generator content and decoding: all queries written for one prompt.",
)

queries = Table(
    "queries",
    metadata,
    Column(
        "query_no", BigInteger, Identity(), primary_key=True, comment="number of the query text"
    ),
    Column(
        "query_hash", LargeBinary, nullable=False, unique=True, comment="128-bit hash of the text"
    ),
    Column("text", Text, nullable=False, comment="search text: NFC, single spaces"),
    _now("created_at", "time it was first written"),
    comment="One row per distinct query text.",
)

generated_queries = Table(
    "generated_queries",
    metadata,
    Column(
        "generation_no",
        ForeignKey("generations.generation_no", ondelete="CASCADE"),
        primary_key=True,
        comment="the generation",
    ),
    Column(
        "rank",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based, by beam score",
    ),
    Column("query_no", ForeignKey("queries.query_no"), nullable=False, comment="the text"),
    Column(
        "sum_logprob",
        REAL,
        nullable=False,
        comment="natural-log probability of its tokens incl. the end token",
    ),
    Column("n_tokens", SmallInteger, nullable=False, comment="tokens incl. the end token"),
    Index("ix_generated_queries_query_no", "query_no"),
    comment="One row per query of a generation.",
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
    _now("searched_at", "time of the search"),
    comment="One row per search: build, query and depth.",
)

# ---------------------------------------------------------------- runs

runs = Table(
    "runs",
    metadata,
    Column("run_no", Integer, Identity(), primary_key=True, comment="number of the run"),
    Column(
        "run_id",
        _id_text(),
        nullable=False,
        unique=True,
        comment="name: kind, date and attempt, as nightly-2026-11-22-1",
    ),
    Column("kind", Text, nullable=False, comment="nightly"),
    Column(
        "logical_date",
        Date,
        nullable=False,
        comment="the date it recommends for, in the schedule's time zone",
    ),
    Column(
        "attempt",
        SmallInteger,
        nullable=False,
        comment="1-based count of runs of that kind and date",
    ),
    Column(
        "state",
        Text,
        nullable=False,
        comment="planned, generating, searching, merging, checking; then published, rejected (a gate), failed, cancelled or superseded",
    ),
    Column(
        "manifest",
        JSONB,
        nullable=False,
        comment="everything the result depends on, frozen at planning",
    ),
    Column("manifest_hash", LargeBinary, nullable=False, comment="128-bit hash of the manifest"),
    Column(
        "build_no",
        ForeignKey("builds.build_no"),
        nullable=False,
        comment="the build it searches, pinned",
    ),
    Column(
        "generator_no",
        ForeignKey("generators.generator_no"),
        nullable=False,
        comment="the generator",
    ),
    Column(
        "decoding_no",
        ForeignKey("decodings.decoding_no"),
        nullable=False,
        comment="the decoding settings",
    ),
    Column("k", SmallInteger, nullable=False, comment="items per user"),
    Column("depth", Integer, nullable=False, comment="hits asked for per query at first"),
    Column(
        "history_version",
        BigInteger,
        nullable=False,
        comment="interactions up to this version are its input",
    ),
    Column("cohort_size", Integer, nullable=False, comment="users in it"),
    Column(
        "code_version",
        Text,
        nullable=False,
        comment="the code that planned it; workers of other code decline",
    ),
    Column("actor", Text, nullable=False, comment="who started it"),
    _now("planned_at", "time of planning"),
    _at("finished_at", "time it came to its end; NULL: not yet"),
    Column("error", Text, comment="why it failed or was rejected; NULL: it was not"),
    UniqueConstraint("kind", "logical_date", "attempt"),
    Index(
        "ix_runs_unfinished",
        "kind",
        unique=True,
        postgresql_where=text(
            "state IN ('planned', 'generating', 'searching', 'merging', 'checking')"
        ),
    ),
    CheckConstraint(
        "state IN ('planned', 'generating', 'searching', 'merging', 'checking', "
        "'published', 'rejected', 'failed', 'cancelled', 'superseded')",
        name="state",
    ),
    comment="One row per run; at most one unfinished per kind.",
)

run_users = Table(
    "run_users",
    metadata,
    Column("run_no", Integer, primary_key=True, autoincrement=False, comment="the run"),
    Column("user_no", Integer, primary_key=True, autoincrement=False, comment="the user"),
    Column("prompt_no", BigInteger, comment="the prompt; NULL: no usable history"),
    Column(
        "item_nos",
        ARRAY(Integer),
        nullable=False,
        comment="items whose titles are in the prompt, oldest first",
    ),
    Column(
        "n_bought", Integer, nullable=False, comment="distinct items bought up to the run's cut-off"
    ),
    Column(
        "last_query_no",
        BigInteger,
        comment="newest bought title as a query, for the fallback; NULL: none",
    ),
    comment="One row per run and cohort user, frozen at planning. One partition per run.",
    postgresql_partition_by="LIST (run_no)",
)

run_popular = Table(
    "run_popular",
    metadata,
    Column(
        "run_no", ForeignKey("runs.run_no", ondelete="CASCADE"), primary_key=True, comment="the run"
    ),
    Column(
        "rank",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="1-based, by buyers, then item id",
    ),
    Column("item_no", Integer, nullable=False, comment="the item, active at planning"),
    Column("n_buyers", Integer, nullable=False, comment="users who bought it up to the cut-off"),
    comment="One row per run and popular item: the last fallback, frozen at planning.",
)

user_outcomes = Table(
    "user_outcomes",
    metadata,
    Column("run_no", Integer, primary_key=True, autoincrement=False, comment="the run"),
    Column("user_no", Integer, primary_key=True, autoincrement=False, comment="the user"),
    Column(
        "outcome",
        Text,
        nullable=False,
        comment="ok, no_history, no_titles, empty_query, no_hits or failed",
    ),
    Column("n_queries", SmallInteger, nullable=False, comment="generated queries that were used"),
    Column(
        "n_found",
        SmallInteger,
        nullable=False,
        comment="recommendations that generated queries found, before fallbacks",
    ),
    Column("n_recommended", SmallInteger, nullable=False, comment="recommendations in all"),
    Column("short_reason", Text, comment="why n_found is below k; NULL: it is not"),
    Column("error", Text, comment="what failed; NULL: nothing"),
    CheckConstraint(
        "outcome IN ('ok', 'no_history', 'no_titles', 'empty_query', 'no_hits', 'failed')",
        name="outcome",
    ),
    comment="One row per run and user: what became of the user. One partition per run.",
    postgresql_partition_by="LIST (run_no)",
)

recommendations = Table(
    "recommendations",
    metadata,
    Column("run_no", Integer, primary_key=True, autoincrement=False, comment="the run"),
    Column("user_no", Integer, primary_key=True, autoincrement=False, comment="the user"),
    Column(
        "rank",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based place in the list",
    ),
    Column("item_no", Integer, nullable=False, comment="the item"),
    Column("source", Text, nullable=False, comment="query, backfill, last_title or popular"),
    Column("query_no", BigInteger, comment="the query that found it; NULL: popular"),
    Column(
        "query_rank",
        SmallInteger,
        comment="rank of that query in the generation; NULL: last_title, popular",
    ),
    Column("hit_rank", Integer, comment="1-based place among that query's hits; NULL: popular"),
    Column(
        "score",
        REAL,
        comment="BM25 score of that hit, not comparable between queries; NULL: popular",
    ),
    UniqueConstraint("run_no", "user_no", "item_no"),
    CheckConstraint("source IN ('query', 'backfill', 'last_title', 'popular')", name="source"),
    comment="One row per run, user and rank. One partition per run.",
    postgresql_partition_by="LIST (run_no)",
)

shards = Table(
    "shards",
    metadata,
    Column("shard_no", BigInteger, Identity(), primary_key=True, comment="number of the shard"),
    Column(
        "run_no", ForeignKey("runs.run_no", ondelete="CASCADE"), nullable=False, comment="the run"
    ),
    Column("stage", Text, nullable=False, comment="generate, search or merge"),
    Column(
        "members",
        ARRAY(BigInteger),
        nullable=False,
        comment="prompt, query or user numbers in frozen order",
    ),
    Column(
        "state",
        Text,
        nullable=False,
        server_default=text("'ready'"),
        comment="ready, leased, done or split",
    ),
    Column("parent_shard_no", BigInteger, comment="the shard it was split from; NULL: planned"),
    Column(
        "attempt",
        SmallInteger,
        nullable=False,
        server_default=text("0"),
        comment="times it was claimed",
    ),
    Column(
        "failures",
        SmallInteger,
        nullable=False,
        server_default=text("0"),
        comment="attempts that ended in an error of its own or a lost lease",
    ),
    Column("owner", Text, comment="who holds or held the lease; NULL: nobody yet"),
    Column(
        "token",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="fencing token: raised by each claim",
    ),
    _at("lease_until", "end of the lease by the database's clock; NULL: never leased"),
    _at("available_at", "not to be claimed before; NULL: at once"),
    _at("finished_at", "time it was done; NULL: not yet"),
    Column("n_rows", Integer, comment="rows stored; NULL until done"),
    Column("error", Text, comment="last error; NULL: none"),
    Index(
        "ix_shards_open",
        "run_no",
        "stage",
        "shard_no",
        postgresql_where=text("state IN ('ready', 'leased')"),
    ),
    CheckConstraint("stage IN ('generate', 'search', 'merge')", name="stage"),
    CheckConstraint("state IN ('ready', 'leased', 'done', 'split')", name="state"),
    comment="One row per shard: a frozen batch list of a run, written by whoever holds its lease and token.",
)

gate_results = Table(
    "gate_results",
    metadata,
    Column(
        "run_no", ForeignKey("runs.run_no", ondelete="CASCADE"), primary_key=True, comment="the run"
    ),
    Column("gate", Text, primary_key=True, comment="name of the gate"),
    Column("passed", Boolean, nullable=False, comment="whether it let the run pass"),
    Column("measured", Text, nullable=False, comment="what was measured"),
    Column("required", Text, nullable=False, comment="what was asked"),
    _now("checked_at", "time of the check"),
    comment="One row per run and gate: the last check before publishing.",
)

publications = Table(
    "publications",
    metadata,
    Column("kind", Text, primary_key=True, comment="kind of run"),
    Column("run_no", ForeignKey("runs.run_no"), nullable=False, comment="the run that readers see"),
    Column("previous_run_no", ForeignKey("runs.run_no"), comment="seen before it; NULL: none"),
    _now("published_at", "time the pointer moved"),
    comment="One row per kind: the pointer that publishing moves.",
)

audit = Table(
    "audit",
    metadata,
    Column("audit_no", BigInteger, Identity(), primary_key=True, comment="order of the entries"),
    _now("at", "time"),
    Column("actor", Text, nullable=False, comment="who"),
    Column(
        "action",
        Text,
        nullable=False,
        comment="what was done, as publish, force_publish, rollback, bm25_set",
    ),
    Column("object", Text, nullable=False, comment="to what"),
    Column("before", JSONB(none_as_null=True), comment="state before; NULL: none"),
    Column("after", JSONB(none_as_null=True), comment="state after; NULL: none"),
    Column("reason", Text, comment="why; NULL: not said"),
    comment="Append-only: one row per act that people may ask about.",
)
