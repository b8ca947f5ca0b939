"""Tables of what leaves the system: gates, publications, exports, pseudonyms, and the audit."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from gpt4rec_es.db.tables.base import at, metadata, now

gate_results = Table(
    "gate_results",
    metadata,
    Column(
        "run_no",
        ForeignKey("runs.run_no", ondelete="CASCADE"),
        primary_key=True,
        comment="run that was checked",
    ),
    Column("gate", Text, primary_key=True, comment="name of the gate"),
    Column("passed", Boolean, nullable=False, comment="whether the run passed the gate"),
    Column("measured", Text, nullable=False, comment="value that was measured"),
    Column("required", Text, nullable=False, comment="value that is required"),
    now("checked_at", "time of the check"),
    Column(
        "importance",
        SmallInteger,
        comment="1-based place among the gates, the most important first; NULL: not known",
    ),
    Column(
        "is_blocking",
        Boolean,
        nullable=False,
        server_default=true(),
        comment="whether a run that does not pass is rejected; false: it is only a warning",
    ),
    Column(
        "reason",
        Text,
        comment="what a run that does not pass probably suffers from; NULL: not known",
    ),
    comment="One row per run and gate: the checks before publishing.",
)

publications = Table(
    "publications",
    metadata,
    Column("kind", Text, primary_key=True, comment="kind of run"),
    Column("run_no", ForeignKey("runs.run_no"), nullable=False, comment="run that is published"),
    Column(
        "previous_run_no",
        ForeignKey("runs.run_no"),
        comment="run that was published before; NULL: none",
    ),
    now("published_at", "time the run was published"),
    comment="One row per kind of run: pointer to the run that is published.",
)

audit = Table(
    "audit",
    metadata,
    Column(
        "audit_no",
        BigInteger,
        Identity(),
        primary_key=True,
        comment="number of the entry, ascending in time",
    ),
    now("at", "time of the action"),
    Column("actor", Text, nullable=False, comment="operator that did the action (login name)"),
    Column(
        "action",
        Text,
        nullable=False,
        comment="name of the action, as publish, force_publish, rollback, bm25_set",
    ),
    Column("object", Text, nullable=False, comment="object of the action, as a run id"),
    Column("before", JSONB(none_as_null=True), comment="JSON: state before the action; NULL: none"),
    Column("after", JSONB(none_as_null=True), comment="JSON: state after the action; NULL: none"),
    Column("reason", Text, comment="reason that the operator gave; NULL: none"),
    comment="Append-only: one row per operator action.",
)

privacy = Table(
    "privacy",
    metadata,
    Column("one_row", Boolean, primary_key=True, comment="always true"),
    Column(
        "has_pseudonyms",
        Boolean,
        nullable=False,
        comment="whether analysts see pseudonyms instead of user ids",
    ),
    Column("inner_key", LargeBinary, nullable=False, comment="secret key of the inner hash"),
    Column("outer_key", LargeBinary, nullable=False, comment="secret key of the outer hash"),
    CheckConstraint("one_row", name="one_row"),
    comment=(
        "At most one row, readable by the owner only: the secret keys of pseudonyms; "
        "no row: never used."
    ),
)

exports = Table(
    "exports",
    metadata,
    Column("export_no", BigInteger, Identity(), primary_key=True, comment="number of the export"),
    Column(
        "host", Text, nullable=False, comment="name of the machine that the file was written on"
    ),
    Column("path", Text, nullable=False, comment="absolute path of the file"),
    Column("format", Text, nullable=False, comment="file format, as jsonl, csv, parquet or trec"),
    at(
        "exported_at",
        "time the file was last written; NULL: its content was only made, nothing was written",
    ),
    at("finished_at", "time the file was complete; NULL: it is being written, or was killed"),
    UniqueConstraint("host", "path"),
    comment=(
        "One row per exported file with user ids; "
        "used to name the files that may hold an erased user."
    ),
)
