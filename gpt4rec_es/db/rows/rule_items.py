"""Queries for the items of the current catalog that rules are about.

Used when a run freezes its rules, and for lists that belong to no run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.named_items import NamedItems

# Categories are compared as distinct paths, which are fewer than items.
MATCHES = """
    SELECT r.rule_no, i.item_no
    FROM rules AS r JOIN items AS i ON i.item_id = r.value COLLATE "C" WHERE r.kind = 'item'
    UNION ALL
    SELECT r.rule_no, i.item_no
    FROM rules AS r JOIN items AS i ON lower(i.brand) = lower(r.value) WHERE r.kind = 'brand'
    UNION ALL
    SELECT c.rule_no, i.item_no
    FROM (
        SELECT r.rule_no, d.category
        FROM rules AS r JOIN (SELECT DISTINCT category FROM items) AS d
        ON lower(d.category) = lower(r.value)
            OR starts_with(lower(d.category), lower(r.value) || ' > ')
        WHERE r.kind = 'category'
    ) AS c JOIN items AS i USING (category)
"""

# Only items that can be recommended need to be blocked, and may be promoted.
FINDABLE = "is_active AND title IS NOT NULL"

# Items that each of the rules with :numbers is about.
CONCERNED = f"""
    WITH rules AS (SELECT * FROM block_rules WHERE rule_no = ANY(:numbers))
    SELECT r.rule_no, r.kind, r.value, r.reason, r.action, r.places,
        coalesce(f.item_nos, '{{}}') AS item_nos
    FROM rules AS r LEFT JOIN (
        SELECT m.rule_no, array_agg(item_no ORDER BY item_no) AS item_nos
        FROM ({MATCHES}) AS m JOIN items USING (item_no) WHERE {FINDABLE} GROUP BY m.rule_no
    ) AS f USING (rule_no)
"""  # noqa: S608 - constants of this module

# Items of each brand with more than :most items.
CAPPED = f"""
    SELECT lower(brand) AS brand, array_agg(item_no ORDER BY item_no) AS item_nos FROM items
    WHERE brand IS NOT NULL AND {FINDABLE} GROUP BY lower(brand) HAVING count(*) > :most
"""  # noqa: S608 - constants of this module

_IN_CATEGORIES = """
EXISTS (SELECT FROM unnest(cast(:categories AS text[])) AS c
        WHERE lower(category) = lower(c) OR starts_with(lower(category), lower(c) || ' > '))
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """A rule that allows only items for which ``condition``, SQL on ``items``, is true."""

    name: str
    value: str
    condition: str
    given: Mapping[str, Any]

    @property
    def excluded_items(self) -> str:
        """Statement for the items that it blocks, with ``given`` as its parameters."""
        return f"""
        SELECT item_no FROM items WHERE {FINDABLE} AND ({self.condition}) IS NOT TRUE
        """  # noqa: S608 - conditions are literals of this module


def filters_of(rules: Mapping[str, Any]) -> Iterator[Filter]:
    """Yield the filters in ``rules`` (see ``ListRules.as_dict``)."""
    for name, operator in (("min_price", ">="), ("max_price", "<=")):
        if name in rules:
            limit = rules[name]
            yield Filter(name, f"{limit:g}", f"price {operator} :limit", {"limit": limit})
    if categories := rules.get("categories"):
        value = " | ".join(categories)
        yield Filter("categories", value, _IN_CATEGORIES, {"categories": categories})


def excluded_items(
    connection: Connection, numbers: Sequence[int], rules: Mapping[str, Any]
) -> NamedItems:
    """Return item number -> name of a block rule or of a filter in ``rules`` that blocks it."""

    def groups() -> Iterator[tuple[str, Sequence[int]]]:
        for one in filters_of(rules):
            yield one.name, connection.execute(text(one.excluded_items), one.given).scalars().all()
        for row in connection.execute(text(CONCERNED), {"numbers": list(numbers)}):
            yield f"rule {row.rule_no}", row.item_nos

    return NamedItems(groups())


class PromotedItems(NamedTuple):
    """A boost or pin (``action``), its number of places, and its items by number."""

    rule: str
    action: str
    places: int
    item_nos: list[int]


def promoted_items(connection: Connection, numbers: Sequence[int]) -> list[PromotedItems]:
    """Return the boosts and pins with these numbers, with items of the current catalog."""
    found = connection.execute(
        text(f"SELECT * FROM ({CONCERNED}) AS c ORDER BY rule_no"),  # noqa: S608 - a constant
        {"numbers": list(numbers)},
    )
    return [
        PromotedItems(f"rule {row.rule_no}", row.action, row.places, row.item_nos) for row in found
    ]


def frozen_promoted_items(connection: Connection, run_no: int) -> list[PromotedItems]:
    """Return the boosts and pins of a run with the items that it froze, in order of rules."""
    found = connection.execute(
        text("""
        SELECT rule, action, places, item_nos FROM run_rules
        WHERE run_no = :run_no AND action <> 'block' AND item_nos IS NOT NULL
        ORDER BY cast(substr(rule, 6) AS int)
        """),
        {"run_no": run_no},
    )
    return [PromotedItems(*row) for row in found]


def capped_brands(connection: Connection, most: int) -> NamedItems:
    """Return item number -> brand for brands with more than ``most`` items."""
    found = connection.execute(text(CAPPED), {"most": most})
    return NamedItems((row.brand, row.item_nos) for row in found)
