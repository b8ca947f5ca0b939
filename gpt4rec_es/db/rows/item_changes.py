"""Statements that compare staged items with the catalog and apply them.

An item may have several rows: of each field the last value counts, so that the rows of its
variants, which name only what differs, erase nothing.
"""

FIELDS = ("title", "brand", "category", "price", "description")

_LAST = "(array_agg({name} ORDER BY seq DESC) FILTER (WHERE {name} IS NOT NULL))[1] AS {name}"
_LAST_VALUES = ", ".join(_LAST.format(name=name) for name in (*FIELDS, "is_active"))
# Bits of staged_items.given: 1 title, 2 brand, 4 category, 8 price, 16 description. A title and its
# delivered form come from one row. keeps: bits of the fields whose stored value stays if no row has
# one.
_RESOLVE = """
    CREATE TEMP TABLE resolved_items ON COMMIT DROP AS
    SELECT new.*, old.item_no,
           old.title AS old_title, old.brand AS old_brand, old.category AS old_category,
           old.price AS old_price, old.description AS old_description,
           old.item_no IS NOT NULL
               AND (new.title, new.title_raw, new.brand, new.category, new.price,
                    new.description, new.is_active)
               IS DISTINCT FROM
               (old.title, old.title_raw, old.brand, old.category, old.price,
                old.description, old.is_active)
               AS differs
    FROM (
        SELECT item_id, given,
               CASE WHEN s.title IS NULL AND keeps & 1 <> 0 THEN i.title ELSE s.title END AS title,
               CASE WHEN s.title IS NULL AND keeps & 1 <> 0
                         AND (i.title IS NOT NULL OR s.title_raw IS NULL)
                    THEN i.title_raw ELSE s.title_raw END AS title_raw,
               CASE WHEN s.brand IS NULL AND keeps & 2 <> 0 THEN i.brand ELSE s.brand END AS brand,
               CASE WHEN s.category IS NULL AND keeps & 4 <> 0 THEN i.category
                    ELSE s.category END AS category,
               CASE WHEN s.price IS NULL AND keeps & 8 <> 0 THEN i.price ELSE s.price END AS price,
               CASE WHEN s.description IS NULL AND keeps & 16 <> 0 THEN i.description
                    ELSE s.description END AS description,
               coalesce(s.is_active, CASE WHEN :is_full THEN true END, i.is_active, true)
                   AS is_active,
               CASE WHEN s.title IS NULL THEN 1 ELSE 0 END
               + CASE WHEN s.brand IS NULL THEN 2 ELSE 0 END
               + CASE WHEN s.category IS NULL THEN 4 ELSE 0 END
               + CASE WHEN s.price IS NULL THEN 8 ELSE 0 END
               + CASE WHEN s.description IS NULL THEN 16 ELSE 0 END AS empty
        FROM (
            SELECT *, CASE WHEN :clears THEN ~given ELSE 31 END AS keeps FROM (
                SELECT item_id, bit_or(given) AS given, {columns},
                       coalesce(
                           (array_agg(title_raw ORDER BY seq DESC)
                               FILTER (WHERE title IS NOT NULL))[1],
                           (array_agg(title_raw ORDER BY seq DESC)
                               FILTER (WHERE title_raw IS NOT NULL))[1]) AS title_raw
                FROM staged_items GROUP BY item_id
            ) AS grouped
        ) AS s
        LEFT JOIN items AS i USING (item_id)
    ) AS new
    LEFT JOIN items AS old USING (item_id)
"""
RESOLVE_ITEMS = _RESOLVE.format(columns=_LAST_VALUES)

# less: items without the field, after minus before; lost: had it before; kept: have it, although
# the rows delivered it empty.
_CHANGES = """
    count(*) FILTER (WHERE {name} IS NULL)
        - count(*) FILTER (WHERE item_no IS NOT NULL AND old_{name} IS NULL) AS less_{name},
    count(*) FILTER (WHERE {name} IS NULL AND old_{name} IS NOT NULL) AS lost_{name},
    count(*) FILTER (WHERE given & empty & {bit} <> 0 AND {name} IS NOT NULL) AS kept_{name}
"""
_COUNT = """
    SELECT count(*) AS resolved,
           count(*) FILTER (WHERE item_no IS NULL) AS inserted,
           count(*) FILTER (WHERE differs) AS updated, {changes}
    FROM resolved_items
"""
COUNT_ITEMS = _COUNT.format(
    changes=", ".join(_CHANGES.format(name=name, bit=1 << at) for at, name in enumerate(FIELDS))
)
COUNT_WITHOUT = """
    SELECT count(*) FILTER (WHERE title IS NULL) AS title,
           count(*) FILTER (WHERE brand IS NULL) AS brand,
           count(*) FILTER (WHERE category IS NULL) AS category,
           count(*) FILTER (WHERE price IS NULL) AS price,
           count(*) FILTER (WHERE description IS NULL) AS description
    FROM items
"""
INSERT_ITEMS = """
    INSERT INTO items
        (item_id, title, title_raw, brand, category, price, description, is_active, version)
    SELECT item_id, title, title_raw, brand, category, price, description, is_active, :version
    FROM resolved_items WHERE item_no IS NULL ORDER BY item_id
"""
UPDATE_ITEMS = """
    UPDATE items AS i
    SET title = r.title, title_raw = r.title_raw, brand = r.brand, category = r.category,
        price = r.price, description = r.description, is_active = r.is_active,
        version = :version, updated_at = clock_timestamp()
    FROM resolved_items AS r WHERE r.differs AND r.item_no = i.item_no
"""
FIND_MISSING = """
    CREATE TEMP TABLE missing_items ON COMMIT DROP AS
    SELECT item_no FROM items AS i
    WHERE i.is_active
      AND NOT EXISTS (SELECT FROM resolved_items AS r WHERE r.item_id = i.item_id)
      AND NOT EXISTS (SELECT FROM staged_rejected_ids AS j WHERE j.item_id = i.item_id)
"""
COUNT_MISSING = """
    SELECT (SELECT count(*) FROM missing_items) AS missing,
           (SELECT count(*) FROM items WHERE is_active) AS active
"""
DEACTIVATE = """
    UPDATE items AS i
    SET is_active = false, version = :version, updated_at = clock_timestamp()
    FROM missing_items AS m WHERE m.item_no = i.item_no
"""
