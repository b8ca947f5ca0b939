"""Tables of runs and their shards."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from gpt4rec_es.db.tables import base
from gpt4rec_es.db.tables.base import at, id_text, metadata, now

# The states of a run, in order.
UNFINISHED = ("planned", "generating", "embedding", "searching", "merging", "checking")
FINISHED = ("published", "rejected", "failed", "cancelled", "superseded")
# The stages of a run that have shards, in order.
STAGES = ("generate", "embed", "search", "merge")


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


runs = Table(
    "runs",
    metadata,
    Column("run_no", Integer, Identity(), primary_key=True, comment="number of the run"),
    Column(
        "run_id",
        id_text(),
        nullable=False,
        unique=True,
        comment="name of the run: kind, date and attempt, as nightly-2026-11-22-1",
    ),
    Column("kind", Text, nullable=False, comment="kind of run: nightly"),
    Column(
        "logical_date",
        Date,
        nullable=False,
        comment="date that the run makes recommendations for, in the schedule's time zone",
    ),
    Column(
        "attempt",
        SmallInteger,
        nullable=False,
        comment="1-based number of the run among those of its kind and date",
    ),
    Column(
        "state",
        Text,
        nullable=False,
        comment=(
            "planned, generating, embedding, searching, merging, checking; then published, "
            "rejected (a gate failed), failed, cancelled or superseded"
        ),
    ),
    Column(
        "manifest",
        JSONB,
        nullable=False,
        comment="JSON: all inputs of the run, frozen at planning",
    ),
    Column("manifest_hash", LargeBinary, nullable=False, comment="128-bit hash of the manifest"),
    Column(
        "build_no",
        ForeignKey("builds.build_no"),
        nullable=False,
        comment="index build that the run searches; it is pinned",
    ),
    Column(
        "generator_no",
        ForeignKey("generators.generator_no"),
        comment="query generator of the run; NULL: it has none, and other sources make the lists",
    ),
    Column(
        "decoding_no",
        ForeignKey("decodings.decoding_no"),
        nullable=False,
        comment="decoding settings of the run",
    ),
    Column("k", SmallInteger, nullable=False, comment="maximum number of items per user"),
    Column(
        "depth",
        Integer,
        nullable=False,
        comment="number of hits requested per query in the first search",
    ),
    Column(
        "history_version",
        BigInteger,
        nullable=False,
        comment="history version of the run: it reads interactions up to this version",
    ),
    Column("cohort_size", Integer, nullable=False, comment="number of users in the run"),
    Column(
        "code_version",
        Text,
        nullable=False,
        comment=(
            "code version of the planner; workers of another code version do not take the "
            "run's shards"
        ),
    ),
    Column("actor", Text, nullable=False, comment="operator that started the run (login name)"),
    now("planned_at", "time the run was planned"),
    at("finished_at", "time the run ended; NULL: unfinished"),
    Column("error", Text, comment="reason that the run failed or was rejected; NULL: neither"),
    Column(
        "is_pinned",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="whether an operator pinned the run: its lists and its build are never pruned",
    ),
    at("pruned_at", "time the run's lists were deleted; NULL: they are stored"),
    Column(
        "co_purchase_set_no",
        ForeignKey("co_purchase_sets.set_no"),
        comment="co-purchase set of the run; NULL: not one of its sources, or deleted",
    ),
    Column(
        "filters_no",
        ForeignKey("query_filters.filters_no"),
        comment="query filters of the run; NULL: all queries are searched",
    ),
    Column(
        "search_options_no",
        ForeignKey("search_options.options_no"),
        comment=(
            "search options for generated queries; NULL: a title needs only one of a query's terms"
        ),
    ),
    *base.first_query_columns(),
    Column(
        "reranker_no",
        ForeignKey("rerankers.reranker_no"),
        comment="re-ranker of the run; NULL: it has none",
    ),
    *base.progress_columns(),
    UniqueConstraint("kind", "logical_date", "attempt"),
    Index(
        "ix_runs_unfinished",
        "kind",
        unique=True,
        postgresql_where=text(f"state IN ({_quoted(UNFINISHED)})"),
    ),
    CheckConstraint(f"state IN ({_quoted((*UNFINISHED, *FINISHED))})", name="state"),
    comment="One row per run; at most one unfinished per kind.",
)

shards = Table(
    "shards",
    metadata,
    Column("shard_no", BigInteger, Identity(), primary_key=True, comment="number of the shard"),
    Column(
        "run_no",
        ForeignKey("runs.run_no", ondelete="CASCADE"),
        nullable=False,
        comment="run that the shard belongs to",
    ),
    Column(
        "stage",
        Text,
        nullable=False,
        comment="stage of the run: generate, embed, search or merge",
    ),
    Column(
        "members",
        ARRAY(BigInteger),
        nullable=False,
        comment="prompt, query or user numbers (by stage) in frozen order",
    ),
    Column(
        "state",
        Text,
        nullable=False,
        server_default=text("'ready'"),
        comment="ready, leased, done or split",
    ),
    Column(
        "parent_shard_no",
        BigInteger,
        comment="shard that this one was split from; NULL: it was planned",
    ),
    Column(
        "attempt",
        SmallInteger,
        nullable=False,
        server_default=text("0"),
        comment="number of times the shard was claimed",
    ),
    Column(
        "failures",
        SmallInteger,
        nullable=False,
        server_default=text("0"),
        comment="number of attempts that ended in an error of the shard or in a lost lease",
    ),
    Column("owner", Text, comment="worker that holds or held the lease; NULL: never leased"),
    Column(
        "token",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="fencing token, raised by each claim",
    ),
    at("lease_until", "end of the lease by the database's clock; NULL: never leased"),
    at("available_at", "earliest time of the next claim; NULL: at once"),
    at("finished_at", "time the shard was done; NULL: not yet"),
    Column("error", Text, comment="message of the last error; NULL: none"),
    Column(
        "n_members",
        Integer,
        Computed("cardinality(members)", persisted=True),
        nullable=False,
        comment="number of members, stored because counting reads the whole array",
    ),
    Column(
        "counts",
        JSONB(none_as_null=True),
        comment="JSON: counts of the work done, as name or name:detail -> number; NULL until done",
    ),
    Index(
        "ix_shards_open",
        "run_no",
        "stage",
        "shard_no",
        postgresql_where=text("state IN ('ready', 'leased')"),
    ),
    Index("ix_shards_run_no", "run_no", "stage"),
    CheckConstraint(f"stage IN ({_quoted(STAGES)})", name="stage"),
    CheckConstraint("state IN ('ready', 'leased', 'done', 'split')", name="state"),
    comment=(
        "One row per shard: a frozen list of a run's work, done by the worker with "
        "its lease and token."
    ),
)
