"""What nights start from and live in: index builds, imports and the database's size."""

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection, text

from gpt4rec_es.exporter.collector import gauge, gauges_by

_BUILD_STATES = ("building", "ready", "failed", "deleted")


def builds(connection: Connection, alias: str) -> list[Metric]:
    """Return builds by state, and what is live, of what age and how far behind the catalog."""
    found = connection.execute(
        text("SELECT state, count(*) AS n FROM builds WHERE alias = :alias GROUP BY 1"),
        {"alias": alias},
    )
    counts = {row.state: row.n for row in found}
    states = {state: counts.get(state, 0) for state in _BUILD_STATES}
    metrics: list[Metric] = [gauges_by("gpt4rec_builds", "Index builds by state.", "state", states)]
    row = connection.execute(_LIVE, {"alias": alias}).one_or_none()
    if row is None:
        return metrics
    gauges = {
        "gpt4rec_live_build_number": ("The live build.", row.build_no),
        "gpt4rec_live_build_ready_timestamp_seconds": ("When it was verified.", row.ready_at),
        "gpt4rec_live_build_documents": ("Items in it.", row.document_count),
        "gpt4rec_live_build_bm25_k1": ("Its BM25 k1.", row.k1),
        "gpt4rec_live_build_bm25_b": ("Its BM25 b.", row.b),
        "gpt4rec_live_build_catalog_lag_imports": ("Imports of items since.", row.lag),
    }
    return metrics + [gauge(name, *what) for name, what in gauges.items()]


_LIVE = text("""
SELECT b.build_no, b.document_count, b.k1, b.b, extract(epoch FROM b.ready_at) AS ready_at,
       (SELECT catalog_version FROM catalog_state) - b.catalog_version AS lag
FROM alias_swaps AS s JOIN builds AS b ON b.build_no = s.to_build_no
WHERE s.alias = :alias ORDER BY s.swap_no DESC LIMIT 1
""")


def imports(connection: Connection) -> list[Metric]:
    """Return the last import of each kind that was done, and how many failed."""
    done = GaugeMetricFamily(
        "gpt4rec_last_import_timestamp_seconds", "End of the last import done.", labels=["kind"]
    )
    rejected = GaugeMetricFamily(
        "gpt4rec_last_import_rejected_records", "Records it set aside.", labels=["kind"]
    )
    records = GaugeMetricFamily("gpt4rec_last_import_records", "Records it read.", labels=["kind"])
    for row in connection.execute(_IMPORTS):
        done.add_metric([row.kind], float(row.finished_at))
        rejected.add_metric([row.kind], float(row.rejected))
        records.add_metric([row.kind], float(row.records))
    return [done, rejected, records]


_IMPORTS = text("""
SELECT DISTINCT ON (kind) kind, extract(epoch FROM finished_at) AS finished_at,
       coalesce(rejected, 0) AS rejected, coalesce(records, 0) AS records
FROM imports WHERE state = 'done' ORDER BY kind, import_no DESC
""")


def database(connection: Connection) -> list[Metric]:
    """Return how large the database is."""
    size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return [gauge("gpt4rec_database_size_bytes", "Size of the database.", size)]
