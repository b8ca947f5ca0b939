"""Small catalogs in Postgres, and queries about their indices."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db.rows.builds import Build, Swap, list_builds, list_swaps
from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.index import building
from gpt4rec_es.index.mapping import index_body
from gpt4rec_es.index.reindex import ReindexOptions, ReindexReport, reindex
from gpt4rec_es.retrieval import ElasticRetriever

SHIRTS = [f"{color} {kind}" for color in ("red", "green", "blue") for kind in ("shirt", "dress")]


def add_items(
    engine: Engine,
    titles: Iterable[tuple[str, str | None]],
    *,
    is_active: bool = True,
    price: Decimal | None = None,
) -> None:
    """Add (item id, title) to the catalog as one import does: its version increases by one."""
    with engine.begin() as connection:
        version = connection.execute(
            text("UPDATE catalog_state SET catalog_version = catalog_version + 1 RETURNING 1")
        )
        assert version.scalar_one() == 1
        for item_id, title in titles:
            connection.execute(
                text(
                    "INSERT INTO items (item_id, title, title_raw, price, is_active, version) "
                    "SELECT :id, CAST(:title AS text), :title, CAST(:price AS numeric), :active, "
                    "catalog_version FROM catalog_state"
                ),
                {"id": item_id, "title": title, "price": price, "active": is_active},
            )


def add_shirts(engine: Engine) -> None:
    add_items(engine, [(f"S{n}", title) for n, title in enumerate(SHIRTS)])


def build_index(
    engine: Engine, client: Elasticsearch, alias: str, options: ReindexOptions | None = None
) -> ReindexReport:
    return reindex(engine, client, options or ReindexOptions(alias=alias), actor="tester")


def build_before_fields(
    engine: Engine, client: Elasticsearch, alias: str, monkeypatch: pytest.MonkeyPatch
) -> Build:
    """Build an index as before the words of brands and descriptions were indexed."""

    def old_body(*args: Any, **options: Any) -> dict[str, Any]:
        body = index_body(*args, **options)
        del body["mappings"]["properties"]["description"]
        del body["mappings"]["properties"]["brand"]["fields"]
        for name in ("brand", "description"):
            del body["settings"]["index"]["similarity"][f"{name}_bm25"]
        return body

    with monkeypatch.context() as patch:
        patch.setattr(building, "index_body", old_body)
        return build_index(engine, client, alias).build


def item_ids(engine: Engine, item_nos: Iterable[int]) -> list[str]:
    """Return the ids of the items with these numbers, in their order."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT item_no, item_id FROM items")).all()
    known = {row.item_no: row.item_id for row in rows}
    return [known[number] for number in item_nos]


def find(engine: Engine, client: Elasticsearch, alias: str, query: str, k: int = 10) -> list[str]:
    """Return the ids of the items that a search of the live index finds."""
    (index,) = alias_targets(client, alias)
    (result,) = ElasticRetriever(client, index).search([query], k)
    return item_ids(engine, result.item_nos)


def builds_of(engine: Engine, alias: str) -> list[Build]:
    with engine.connect() as connection:
        return list_builds(connection, alias)


def swaps_of(engine: Engine, alias: str) -> list[Swap]:
    with engine.connect() as connection:
        return list_swaps(connection, alias)


def pin_by_run(connection: Connection, build_no: int, state: str) -> None:
    """Insert a run with the columns that pin the build."""
    connection.execute(
        text(
            "INSERT INTO generators (name, kind, content_hash, card) "
            "VALUES ('titles', 'titles', 'x', '{}') ON CONFLICT DO NOTHING"
        )
    )
    connection.execute(
        text(
            "INSERT INTO decodings (settings_hash, settings) VALUES ('x', '{}') "
            "ON CONFLICT DO NOTHING"
        )
    )
    connection.execute(
        text(
            "INSERT INTO runs (run_id, kind, logical_date, attempt, state, manifest, "
            "manifest_hash, build_no, generator_no, decoding_no, k, depth, history_version, "
            "cohort_size, code_version, actor) "
            "SELECT 'run ' || :build, 'nightly', '2026-11-22', :build, :state, '{}', 'x', "
            ":build, (SELECT min(generator_no) FROM generators), "
            "(SELECT min(decoding_no) FROM decodings), 10, 50, 0, 1, 'x', 'me'"
        ),
        {"build": build_no, "state": state},
    )
