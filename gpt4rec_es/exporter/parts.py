"""The list of what is exported, part by part: each a function from a connection to metrics.

A part reads no table with a row per user: a scrape every 15 seconds must not be felt. No label has
an unlimited number of values.
"""

from functools import partial

from gpt4rec_es.exporter import run_parts, store_parts
from gpt4rec_es.exporter.collector import Part
from gpt4rec_es.exporter.run_parts import work


def all_parts(alias: str) -> dict[str, Part]:
    """Return part name -> how to read it; ``alias`` is that of the live index."""
    return {
        "publication": run_parts.publication,
        "runs": run_parts.runs,
        "newest_run": run_parts.newest_run,
        "shards": run_parts.shards,
        "gates": run_parts.gates,
        "work": work,
        "builds": partial(store_parts.builds, alias=alias),
        "imports": store_parts.imports,
        "database": store_parts.database,
    }
