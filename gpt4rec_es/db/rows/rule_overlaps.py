"""Items that a boost or pin shares with a rule that blocks."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.rule_items import FINDABLE, MATCHES


class About(Protocol):
    """What a rule is about."""

    @property
    def kind(self) -> str:
        """Item, brand or category."""

    @property
    def value(self) -> str:
        """Item id, brand or category path."""


class Shared(NamedTuple):
    """Places of two rules in the given ones, and how many of the first one's items both match."""

    rule: int
    other: int
    n_shared: int
    n_items: int


_SHARED = text(f"""
    WITH rules AS (
        SELECT place - 1 AS rule_no, kind, value
        FROM unnest(cast(:kinds AS text[]), cast(:values AS text[]))
            WITH ORDINALITY AS x(kind, value, place)),
    matched AS MATERIALIZED (
        SELECT m.rule_no, m.item_no FROM ({MATCHES}) AS m JOIN items USING (item_no)
        WHERE {FINDABLE}),
    sizes AS (SELECT rule_no, count(*) AS n FROM matched GROUP BY rule_no)
    SELECT a.rule_no AS rule, b.rule_no AS other, count(*) AS n_shared, s.n AS n_items
    FROM matched AS a JOIN matched AS b USING (item_no) JOIN sizes AS s ON s.rule_no = a.rule_no
    WHERE a.rule_no = ANY(:rules) AND b.rule_no = ANY(:others)
    GROUP BY a.rule_no, b.rule_no, s.n ORDER BY a.rule_no, b.rule_no
""")  # noqa: S608 - constants of this package


_FINDABLE_ITEMS = text(f"""
    WITH rules AS (
        SELECT place - 1 AS rule_no, kind, value
        FROM unnest(cast(:kinds AS text[]), cast(:values AS text[]))
            WITH ORDINALITY AS x(kind, value, place))
    SELECT rule_no, count(*) AS n FROM ({MATCHES}) AS m JOIN items USING (item_no)
    WHERE {FINDABLE} GROUP BY rule_no
""")  # noqa: S608 - constants of this package


def count_findable(connection: Connection, about: Sequence[About]) -> list[int]:
    """Return how many items of each rule can be recommended now."""
    if not about:
        return []
    given = {"kinds": [one.kind for one in about], "values": [one.value for one in about]}
    counts = {row.rule_no: row.n for row in connection.execute(_FINDABLE_ITEMS, given)}
    return [counts.get(place, 0) for place in range(len(about))]


def shared_items(
    connection: Connection,
    about: Sequence[About],
    rules: Sequence[int],
    others: Sequence[int],
) -> list[Shared]:
    """Return the pairs of ``rules`` and ``others``, places in ``about``, that share items."""
    if not rules or not others:
        return []
    found = connection.execute(
        _SHARED,
        {
            "kinds": [one.kind for one in about],
            "values": [one.value for one in about],
            "rules": list(rules),
            "others": list(others),
        },
    )
    return [Shared(*row) for row in found]
