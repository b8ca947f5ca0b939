"""Freezing the titles of bought items as queries, for runs that have titles as a source.

Runs inside the planner's one transaction. An item is searched once per build, whoever bought it.
"""

from sqlalchemy import Connection, text

from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.prompts.keys import hash128, normalise_query
from gpt4rec_es.retrieval.query_filters import TitleTest

_SLICE = 10_000

_BOUGHT = text("""
SELECT item_no, title FROM items
WHERE item_no > :after AND title IS NOT NULL AND EXISTS (
    SELECT FROM interactions AS x
    WHERE x.item_no = items.item_no AND x.version <= :history_version)
ORDER BY item_no LIMIT :most
""")


def freeze_titles(
    connection: Connection, run_no: int, history_version: int, may_search: TitleTest
) -> int:
    """Store each bought item's title that may be searched as a query; return how many items."""
    connection.execute(
        text(
            "CREATE TEMP TABLE staged_titles (item_no int, query_hash bytea, text text) "
            "ON COMMIT DROP"
        )
    )
    last = 0
    while rows := connection.execute(
        _BOUGHT, {"after": last, "history_version": history_version, "most": _SLICE}
    ).all():
        last = rows[-1].item_no
        texts = [(row.item_no, normalise_query(row.title)) for row in rows if may_search(row.title)]
        copy_rows(
            connection,
            "staged_titles",
            ["item_no", "query_hash", "text"],
            ((item_no, hash128(title), title) for item_no, title in texts),
        )
    connection.execute(
        text("""
        INSERT INTO queries (query_hash, text)
        SELECT DISTINCT ON (query_hash) query_hash, text FROM staged_titles
        ORDER BY query_hash ON CONFLICT (query_hash) DO NOTHING
        """)
    )
    return connection.execute(
        text("""
        INSERT INTO run_titles (run_no, item_no, query_no)
        SELECT :run_no, s.item_no, q.query_no
        FROM staged_titles AS s JOIN queries AS q USING (query_hash) ORDER BY s.item_no
        """),
        {"run_no": run_no},
    ).rowcount
