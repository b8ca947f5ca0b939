"""Tables of publishing: what the gates said, which run readers see, and who did what."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from gpt4rec_es.db.tables.base import metadata, now

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
    now("checked_at", "time of the check"),
    comment="One row per run and gate: the last check before publishing.",
)

publications = Table(
    "publications",
    metadata,
    Column("kind", Text, primary_key=True, comment="kind of run"),
    Column("run_no", ForeignKey("runs.run_no"), nullable=False, comment="the run that readers see"),
    Column("previous_run_no", ForeignKey("runs.run_no"), comment="seen before it; NULL: none"),
    now("published_at", "time the pointer moved"),
    comment="One row per kind: the pointer that publishing moves.",
)

audit = Table(
    "audit",
    metadata,
    Column("audit_no", BigInteger, Identity(), primary_key=True, comment="order of the entries"),
    now("at", "time"),
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
