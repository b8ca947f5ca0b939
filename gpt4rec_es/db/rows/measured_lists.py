"""Counts of a run's lists, queries and catalog, for night/publish/measures.py.

Counts that would read all rows of users twice are of a sample of users, the same in every night.
"""

from typing import NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.canary import SEED
from gpt4rec_es.db.rows.runs import Run


class Places(NamedTuple):
    """Places of a run's lists that its sources filled, without fallbacks and pinned items.

    items: number of distinct items; top: number of lists with the most frequent one; by_source:
    number of places by source; not_numbers: places with a score that is no finite number, all
    sources included.
    """

    places: int
    items: int
    top: int
    by_source: dict[str, int]
    not_numbers: int


_SUMMED = text("""
SELECT coalesce(sum(n), 0)::bigint AS places, count(*) AS items, coalesce(max(n), 0) AS top
FROM (
    SELECT item_no, count(*) AS n FROM recommendations
    WHERE run_no = :run_no AND source NOT IN ('pinned', 'last_title', 'popular')
      AND NOT EXISTS (SELECT FROM holdback_users AS h
                      WHERE h.run_no = :run_no AND h.user_no = recommendations.user_no)
    GROUP BY item_no
) AS items
""")
_BY_SOURCE = text("""
SELECT source, count(*) FILTER (WHERE arm IS NULL) AS n, count(*) FILTER (
    WHERE 'NaN' IN (score, fused_score, rerank_score)
       OR 'Infinity' IN (abs(score), abs(fused_score), abs(rerank_score))) AS n_odd
FROM recommendations LEFT JOIN holdback_users USING (run_no, user_no)
WHERE run_no = :run_no GROUP BY source
""")


def count_places(connection: Connection, run_no: int) -> Places:
    """Count the places of a run's lists by item and by source."""
    summed = connection.execute(_SUMMED, {"run_no": run_no}).one()
    sources = connection.execute(_BY_SOURCE, {"run_no": run_no}).all()
    return Places(
        summed.places,
        summed.items,
        summed.top,
        {row.source: row.n for row in sources},
        sum(row.n_odd for row in sources),
    )


class SampledQuery(NamedTuple):
    """A generated query of a sampled user. is_number: its log-probability is a finite number."""

    text: str
    is_number: bool


def sample_queries(
    connection: Connection, run: Run, users: int, ranks: int
) -> tuple[list[str], list[SampledQuery]]:
    """Return the newest titles of sampled users with a prompt, and their first queries.

    ranks: queries of each user, at most.
    """
    found = connection.execute(
        text("""
        WITH sampled AS (
            SELECT user_no, prompt_no, last_query_no FROM run_users AS u
            WHERE run_no = :run_no AND prompt_no IS NOT NULL AND (NOT :is_canary OR EXISTS (
                SELECT FROM user_outcomes AS o
                WHERE o.run_no = :run_no AND o.user_no = u.user_no))
            ORDER BY hashint8extended(user_no, :seed), user_no LIMIT :users
        )
        SELECT (SELECT coalesce(array_agg(n.text), '{}') FROM sampled AS s
                JOIN queries AS n ON n.query_no = s.last_query_no) AS titles, t.text,
               abs(q.sum_logprob) < 'Infinity' AS is_number
        FROM (SELECT) AS always
        LEFT JOIN (sampled AS u
            JOIN generations AS g ON g.prompt_no = u.prompt_no
                AND g.content_hash = :content_hash AND g.decoding_no = :decoding_no
            JOIN generated_queries AS q USING (generation_no)
            JOIN queries AS t USING (query_no)) ON q.rank <= :ranks
        """),
        {
            "run_no": run.run_no,
            "seed": SEED,
            "users": users,
            "ranks": ranks,
            "is_canary": run.is_canary,
            "content_hash": run.content_hash,
            "decoding_no": run.decoding_no,
        },
    ).all()
    queries = [SampledQuery(row.text, row.is_number) for row in found if row.text is not None]
    return found[0].titles, queries


class Overlap(NamedTuple):
    """Overlap of the lists of two runs over sampled users that are in both.

    mean: mean Jaccard similarity of their items, None: no user is in both. equal: users with equal
    lists. moved: users that bought something between the runs, ``still`` of these have equal lists.
    others: users that did not, and yet have another newest purchase.
    """

    users: int
    mean: float | None
    equal: int
    moved: int
    still: int
    others: int


_OVERLAP = text("""
WITH sampled AS (
    SELECT new.user_no, new.n_bought <> old.n_bought AS has_moved,
           new.item_nos[cardinality(new.item_nos)] <> old.item_nos[cardinality(old.item_nos)]
               OR new.newest_item_nos[1] <> old.newest_item_nos[1] AS is_other
    FROM run_users AS new JOIN run_users AS old USING (user_no)
    WHERE new.run_no = :new AND old.run_no = :old
      AND EXISTS (SELECT FROM user_outcomes AS o
                  WHERE o.run_no = :new AND o.user_no = new.user_no)
      -- A failed user has no list, whatever the inputs are.
      AND NOT EXISTS (SELECT FROM user_outcomes AS o WHERE o.run_no IN (:new, :old)
                      AND o.user_no = new.user_no AND o.outcome = 'failed')
      AND NOT EXISTS (SELECT FROM holdback_users AS h
                      WHERE h.run_no IN (:new, :old) AND h.user_no = new.user_no)
    ORDER BY hashint8extended(new.user_no, :seed), new.user_no LIMIT :users
), listed AS (
    SELECT user_no, array_agg(item_no ORDER BY rank) FILTER (WHERE run_no = :new) AS new,
           array_agg(item_no ORDER BY rank) FILTER (WHERE run_no = :old) AS old
    FROM recommendations
    WHERE run_no IN (:new, :old) AND user_no IN (SELECT user_no FROM sampled)
    GROUP BY user_no
), compared AS (
    SELECT has_moved, is_other, new IS NOT DISTINCT FROM old AS is_equal,
           (SELECT count(*) FROM unnest(new) AS x WHERE x = ANY(old)) AS common,
           coalesce(cardinality(new), 0) + coalesce(cardinality(old), 0) AS total
    FROM sampled LEFT JOIN listed USING (user_no)
)
SELECT count(*) AS users,
       avg(CASE WHEN total = 0 THEN 1 ELSE common::float8 / (total - common) END) AS mean,
       count(*) FILTER (WHERE is_equal) AS equal, count(*) FILTER (WHERE has_moved) AS moved,
       count(*) FILTER (WHERE has_moved AND is_equal) AS still,
       count(*) FILTER (WHERE is_other AND NOT has_moved) AS others
FROM compared
""")


def count_overlap(connection: Connection, new: Run, old: Run, users: int | None) -> Overlap:
    """Compare the lists of at most ``users`` (None: all) users of both runs."""
    found = connection.execute(
        _OVERLAP, {"new": new.run_no, "old": old.run_no, "users": users, "seed": SEED}
    )
    return Overlap(*found.one())


class Catalog(NamedTuple):
    """The current catalog. items: with a title; active: of these, items that are active.

    priced: active ones with a price; median_price: of these, None: there are none.
    """

    version: int
    items: int
    active: int
    priced: int
    median_price: float | None


def count_catalog(connection: Connection) -> Catalog:
    """Count the items of the current catalog."""
    row = connection.execute(
        text("""
        SELECT (SELECT catalog_version FROM catalog_state) AS version, count(*) AS items,
               count(*) FILTER (WHERE is_active) AS active,
               count(price) FILTER (WHERE is_active) AS priced,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY price::float8) FILTER (WHERE is_active)
                   AS median_price
        FROM items WHERE title IS NOT NULL
        """)
    ).one()
    return Catalog(*row)


def count_bought(connection: Connection, run: Run, users: int) -> tuple[int, int]:
    """Return the number of sampled users, and of bought items in their lists."""
    row = connection.execute(
        text("""
        WITH sampled AS (
            SELECT user_no FROM run_users WHERE run_no = :run_no AND n_bought > 0
            ORDER BY hashint8extended(user_no, :seed), user_no LIMIT :users
        )
        SELECT (SELECT count(*) FROM sampled), count(*)
        FROM recommendations AS r JOIN sampled USING (user_no)
        WHERE r.run_no = :run_no AND EXISTS (
            SELECT FROM interactions AS i WHERE i.user_no = r.user_no AND i.item_no = r.item_no
              AND i.version <= :history_version)
        """),
        {
            "run_no": run.run_no,
            "seed": SEED,
            "users": users,
            "history_version": run.history_version,
        },
    ).one()
    return row[0], row[1]


class CatalogItem(NamedTuple):
    """What an index document says of an item."""

    item_id: str
    item_no: int
    title: str


def sample_recommended(connection: Connection, run_no: int, most: int) -> list[CatalogItem]:
    """Return at most ``most`` recommended items that have a title, as the catalog has them now."""
    found = connection.execute(
        text("""
        SELECT item_id, item_no, title FROM items
        WHERE title IS NOT NULL AND item_no IN (
            SELECT item_no FROM recommendations WHERE run_no = :run_no)
        ORDER BY hashint8extended(item_no, :seed), item_no LIMIT :most
        """),
        {"run_no": run_no, "most": most, "seed": SEED},
    )
    return [CatalogItem(*row) for row in found]
