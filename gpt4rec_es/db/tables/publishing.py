"""Tables of publishing: gate results, the publication pointer, and the audit."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from gpt4rec_es.db.tables.base import metadata, now

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
