"""Freezing a run's inputs: every user's prompt, cut-off and fallback, and the popular items.

Runs inside the planner's one transaction, so all of it comes from one snapshot.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from gpt4rec_es.db.copy import analyze_tables, copy_rows
from gpt4rec_es.db.rows.history import Bought, stream_histories
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.prompts.keys import hash128, normalise_query
from gpt4rec_es.protocols import Progress, QueryGenerator
from gpt4rec_es.retrieval.query_filters import TitleTest


def stage_cohort(
    connection: Connection,
    generator: QueryGenerator,
    history_version: int,
    may_search: TitleTest,
    progress: Progress,
) -> int:
    """Write every user's frozen input to a temporary table; return the number of users.

    may_search: whether a title may be the fallback query; the newest of those is.
    """
    connection.execute(
        text("""
        CREATE TEMP TABLE staged_users (
            user_no int, prompt_hash bytea, prompt text, n_tokens int, item_nos int[],
            n_bought int, last_hash bytea, last_text text
        ) ON COMMIT DROP
        """)
    )
    total = connection.execute(text("SELECT count(*) FROM users")).scalar_one()
    done = 0

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal done
        for user_no, _, history in stream_histories(connection, history_version=history_version):
            done += 1
            if done % 1000 == 0:
                progress(done, total)
            yield (user_no, *_frozen_input(generator, history, may_search))

    columns = ["user_no", "prompt_hash", "prompt", "n_tokens"]
    columns += ["item_nos", "n_bought", "last_hash", "last_text"]
    # Histories are read and cohort rows written on one connection, so both see one snapshot:
    # a bounded batch is copied between two reads of the cursor.
    batch: list[tuple[object, ...]] = []
    for row in rows():
        batch.append(row)
        if len(batch) == 5000:
            copy_rows(connection, "staged_users", columns, batch)
            batch = []
    copy_rows(connection, "staged_users", columns, batch)
    progress(done, total)
    return done


def _frozen_input(
    generator: QueryGenerator, history: list[Bought], may_search: TitleTest
) -> tuple[object, ...]:
    titled = [(item_no, title) for item_no, title, _ in history if title]
    prompt = generator.write_prompt([title for _, title in titled])
    if prompt is None:
        return (None, None, None, [], len(history), None, None)
    allowed = (title for _, title in reversed(titled) if may_search(title))
    last = next(map(normalise_query, allowed), None)
    return (
        hash128(prompt.text),
        prompt.text,
        prompt.n_tokens,
        [item_no for item_no, _ in titled[len(titled) - prompt.used :]],
        len(history),
        None if last is None else hash128(last),
        last,
    )


def freeze_cohort(connection: Connection, run_no: int) -> None:
    """Store what ``stage_cohort`` staged as the run's users, with their prompts and queries."""
    connection.execute(text("ANALYZE staged_users"))
    connection.execute(
        text("""
        INSERT INTO prompts (prompt_hash, text, n_tokens)
        SELECT DISTINCT ON (prompt_hash) prompt_hash, prompt, n_tokens
        FROM staged_users WHERE prompt_hash IS NOT NULL
        ORDER BY prompt_hash ON CONFLICT (prompt_hash) DO NOTHING
        """)
    )
    connection.execute(
        text("""
        INSERT INTO queries (query_hash, text)
        SELECT DISTINCT ON (last_hash) last_hash, last_text
        FROM staged_users WHERE last_hash IS NOT NULL
        ORDER BY last_hash ON CONFLICT (query_hash) DO NOTHING
        """)
    )
    connection.execute(text("SELECT create_run_partitions(:run_no)"), {"run_no": run_no})
    connection.execute(
        text("""
        INSERT INTO run_users (run_no, user_no, prompt_no, item_nos, n_bought, last_query_no)
        SELECT :run_no, s.user_no, p.prompt_no, s.item_nos, s.n_bought, q.query_no
        FROM staged_users AS s
        LEFT JOIN prompts AS p USING (prompt_hash)
        LEFT JOIN queries AS q ON q.query_hash = s.last_hash
        ORDER BY s.user_no
        """),
        {"run_no": run_no},
    )
    analyze_tables(connection, ("prompts", f"run_users_{run_no}"))


def freeze_popular(connection: Connection, run: Run) -> None:
    """Freeze the most bought items: as many as the fallback may have to look at for any user."""
    excluded = connection.execute(
        text("SELECT coalesce(max(n_bought), 0) FROM run_users WHERE run_no = :run_no"),
        {"run_no": run.run_no},
    ).scalar_one()
    rules = run.manifest.get("rules", {})
    excluded += connection.execute(
        text("SELECT coalesce(sum(k), 0) FROM runs WHERE run_no = ANY(:shown)"),
        {"shown": rules.get("shown_runs", [])},
    ).scalar_one()
    most, per_brand = run.k + excluded, None
    if cap := rules.get("max_per_brand"):
        # Of a brand no more can be taken or skipped as the user's, and so many may be full.
        per_brand = cap + excluded
        most += (run.k // cap) * per_brand
    connection.execute(
        text("""
        INSERT INTO run_popular (run_no, rank, item_no, n_buyers)
        WITH blocked AS (
            SELECT DISTINCT unnest(item_nos) AS item_no FROM run_rules WHERE run_no = :run_no
        ), bought AS (
            SELECT i.item_no, i.item_id, i.brand, count(DISTINCT x.user_no) AS n_buyers
            FROM interactions AS x JOIN items AS i USING (item_no)
            LEFT JOIN blocked AS b USING (item_no)
            WHERE x.version <= :history_version AND i.is_active AND i.title IS NOT NULL
              AND b.item_no IS NULL
            GROUP BY i.item_no, i.item_id, i.brand
        ), placed AS (
            SELECT *, row_number() OVER (
                PARTITION BY lower(brand) ORDER BY n_buyers DESC, item_id) AS place_in_brand
            FROM bought
        )
        SELECT :run_no, row_number() OVER w, item_no, n_buyers FROM placed
        WHERE cast(:per_brand AS int) IS NULL OR brand IS NULL OR place_in_brand <= :per_brand
        WINDOW w AS (ORDER BY n_buyers DESC, item_id)
        ORDER BY 2 LIMIT :most
        """),
        {
            "run_no": run.run_no,
            "history_version": run.history_version,
            "per_brand": per_brand,
            "most": most,
        },
    )


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
