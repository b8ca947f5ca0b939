"""Tables of runs, of the shards that their work is cut into, and of what the work came to."""

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

from gpt4rec_es.db.tables.base import at, id_text, metadata, now

# The states of a run, in order.
UNFINISHED = ("planned", "generating", "searching", "merging", "checking")
FINISHED = ("published", "rejected", "failed", "cancelled", "superseded")
# The stages of a run that have shards, in order.
STAGES = ("generate", "search", "merge")


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
        comment=(
            "planned, generating, searching, merging, checking; then published, rejected (a gate), "
            "failed, cancelled or superseded"
        ),
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
    now("planned_at", "time of planning"),
    at("finished_at", "time it came to its end; NULL: not yet"),
    Column("error", Text, comment="why it failed or was rejected; NULL: it was not"),
    Column(
        "is_pinned",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="kept by hand: neither its lists nor its build are ever pruned",
    ),
    at("pruned_at", "time its lists were given up; NULL: they are kept"),
    Column(
        "co_purchase_set_no",
        ForeignKey("co_purchase_sets.set_no"),
        comment="the co-purchases it uses; NULL: not one of its sources, or pruned",
    ),
    Column(
        "filters_no",
        ForeignKey("query_filters.filters_no"),
        comment="what its queries must pass; NULL: all are searched",
    ),
    Column(
        "search_options_no",
        ForeignKey("search_options.options_no"),
        comment="how its generated queries are searched for; NULL: any term is enough",
    ),
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
    at("lease_until", "end of the lease by the database's clock; NULL: never leased"),
    at("available_at", "not to be claimed before; NULL: at once"),
    at("finished_at", "time it was done; NULL: not yet"),
    Column("error", Text, comment="last error; NULL: none"),
    Column(
        "n_members",
        Integer,
        Computed("cardinality(members)", persisted=True),
        nullable=False,
        comment="how many members it has: counting them anew would mean reading them all",
    ),
    Column(
        "counts",
        JSONB(none_as_null=True),
        comment="what the work came to, as name or name:detail -> number; NULL until done",
    ),
    Index(
        "ix_shards_open",
        "run_no",
        "stage",
        "shard_no",
        postgresql_where=text("state IN ('ready', 'leased')"),
    ),
    Index("ix_shards_run_no", "run_no", "stage"),
    CheckConstraint("stage IN ('generate', 'search', 'merge')", name="stage"),
    CheckConstraint("state IN ('ready', 'leased', 'done', 'split')", name="state"),
    comment=(
        "One row per shard: a frozen batch list of a run, written by whoever holds its lease and "
        "token."
    ),
)

run_counts = Table(
    "run_counts",
    metadata,
    Column(
        "run_no", ForeignKey("runs.run_no", ondelete="CASCADE"), primary_key=True, comment="the run"
    ),
    Column("stage", Text, primary_key=True, comment="generate, search or merge"),
    Column(
        "name",
        Text,
        primary_key=True,
        comment="members, tokens, queries, searches, users, listed, removed, errors or takeovers",
    ),
    Column(
        "detail",
        Text,
        primary_key=True,
        comment=(
            "of users the outcome, of listed items the source, of removed items the rule, of "
            "errors their class; else empty"
        ),
    ),
    Column("n", BigInteger, nullable=False, comment="how many"),
    comment=(
        "One row per run, stage and count: what its work came to, summed over shards when it ended."
    ),
)
