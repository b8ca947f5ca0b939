"""Reads and writes of rules for items and of the rules that a run froze."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, text, update

from gpt4rec_es.db.rows.rule_items import CAPPED, CONCERNED, MATCHES, Filter
from gpt4rec_es.db.tables import block_rules, items
from gpt4rec_es.named_items import NamedItems

KINDS = ("item", "brand", "category")
BLOCK, BOOST, PIN = ACTIONS = ("block", "boost", "pin")


@dataclass(frozen=True, slots=True)
class BlockRule:
    """One rule. kind: one of ``KINDS``; dates are run dates, both inclusive; None: open.

    action: one of ``ACTIONS``; places: of a boost or pin, see ``NewRule``.
    """

    rule_no: int
    kind: str
    value: str
    reason: str
    valid_from: dt.date | None
    valid_until: dt.date | None
    actor: str
    created_at: dt.datetime
    removed_at: dt.datetime | None
    action: str = BLOCK
    places: int | None = None

    @property
    def name(self) -> str:
        """Name of the rule in a run."""
        return f"rule {self.rule_no}"


@dataclass(frozen=True, slots=True)
class NewRule:
    """Values of a new rule.

    places: of a boost, the number of places that an item moves up; of a pin, the most items of the
    rule per list; None: the rule blocks.
    """

    kind: str
    value: str
    reason: str
    valid_from: dt.date | None = None
    valid_until: dt.date | None = None
    action: str = BLOCK
    places: int | None = None


def insert_rules(connection: Connection, rules: Sequence[NewRule], actor: str) -> list[int]:
    """Store the rules that have no equal active rule; return the numbers of stored rules."""
    found = connection.execute(
        text("""
        WITH given AS (
            SELECT DISTINCT ON (action, kind, value, places, valid_from, valid_until) *
            FROM unnest(cast(:kinds AS text[]), cast(:values AS text[]), cast(:reasons AS text[]),
                        cast(:firsts AS date[]), cast(:lasts AS date[]),
                        cast(:actions AS text[]), cast(:places AS int[])) WITH ORDINALITY
                AS g(kind, value, reason, valid_from, valid_until, action, places, place)
            ORDER BY action, kind, value, places, valid_from, valid_until, place)
        INSERT INTO block_rules
            (kind, value, reason, valid_from, valid_until, action, places, actor)
        SELECT kind, value, reason, valid_from, valid_until, action, places, :actor
        FROM given AS g
        WHERE NOT EXISTS (
            SELECT FROM block_rules AS r
            WHERE r.removed_at IS NULL AND r.kind = g.kind AND r.value = g.value
              AND r.action = g.action AND r.places IS NOT DISTINCT FROM g.places
              AND r.valid_from IS NOT DISTINCT FROM g.valid_from
              AND r.valid_until IS NOT DISTINCT FROM g.valid_until)
        ORDER BY place RETURNING rule_no
        """),
        {
            "kinds": [rule.kind for rule in rules],
            "values": [rule.value for rule in rules],
            "reasons": [rule.reason for rule in rules],
            "firsts": [rule.valid_from for rule in rules],
            "lasts": [rule.valid_until for rule in rules],
            "actions": [rule.action for rule in rules],
            "places": [rule.places for rule in rules],
            "actor": actor,
        },
    )
    return list(found.scalars())


def load_rules(
    connection: Connection, *, numbers: Sequence[int] | None = None, removed: bool = False
) -> list[BlockRule]:
    """Return the rules by number; ``removed``: include removed ones; numbers None: all."""
    statement = select(block_rules).order_by(block_rules.c.rule_no)
    if not removed:
        statement = statement.where(block_rules.c.removed_at.is_(None))
    if numbers is not None:
        statement = statement.where(block_rules.c.rule_no.in_(numbers))
    return [BlockRule(**row) for row in connection.execute(statement).mappings()]


def rules_on(connection: Connection, date: dt.date) -> list[BlockRule]:
    """Return the rules that apply to a run of ``date``, by number."""
    return [
        rule
        for rule in load_rules(connection)
        if (rule.valid_from is None or rule.valid_from <= date)
        and (rule.valid_until is None or date <= rule.valid_until)
    ]


def remove_rule(connection: Connection, rule_no: int) -> None:
    """Remove a rule: it does not apply to runs planned from now on."""
    connection.execute(
        update(block_rules)
        .where(block_rules.c.rule_no == rule_no)
        .values(removed_at=text("clock_timestamp()"))
    )


def count_matches(connection: Connection, rules: Iterable[NewRule]) -> list[int]:
    """Count the items of the current catalog that each rule matches."""
    given = list(rules)
    found = connection.execute(
        text(f"""
        WITH rules AS (
            SELECT place AS rule_no, kind, value
            FROM unnest(cast(:kinds AS text[]), cast(:values AS text[]))
                WITH ORDINALITY AS x(kind, value, place))
        SELECT rule_no, count(*) AS n FROM ({MATCHES}) AS m GROUP BY rule_no
        """),  # noqa: S608 - a constant of this module
        {"kinds": [rule.kind for rule in given], "values": [rule.value for rule in given]},
    )
    counts = {row.rule_no: row.n for row in found}
    return [counts.get(place, 0) for place in range(1, len(given) + 1)]


def known_values(connection: Connection, kind: str) -> list[str]:
    """Return the distinct brands or category paths of the catalog; of item ids, none."""
    if kind not in {"brand", "category"}:
        return []  # too many, and no id is meant by one like it
    column = items.c[kind]
    return list(connection.execute(select(column).where(column.is_not(None)).distinct()).scalars())


_FREEZE_RULES = text(f"""
    INSERT INTO run_rules (run_no, rule, kind, value, reason, n_items, item_nos, action, places)
    SELECT :run_no, 'rule ' || rule_no, kind, value, reason, cardinality(item_nos), item_nos,
        action, places
    FROM ({CONCERNED}) AS c
""")  # noqa: S608 - constants of this package


def freeze_numbered(connection: Connection, run_no: int, numbers: Sequence[int]) -> None:
    """Freeze these rules for a run, with the items that each is about."""
    connection.execute(_FREEZE_RULES, {"run_no": run_no, "numbers": list(numbers)})


def freeze_filter(connection: Connection, run_no: int, kept: Filter) -> None:
    """Freeze a filter for a run, with the items that it blocks."""
    connection.execute(
        text(f"""
        INSERT INTO run_rules (run_no, rule, kind, value, n_items, item_nos)
        SELECT :run_no, :name, 'filter', :value, count(*),
            coalesce(array_agg(item_no ORDER BY item_no), '{{}}')
        FROM ({kept.excluded_items}) AS k
        """),  # noqa: S608 - conditions are literals of this package
        {"run_no": run_no, "name": kept.name, "value": kept.value, **kept.given},
    )


def freeze_setting(connection: Connection, run_no: int, name: str, value: str) -> None:
    """Freeze a rule that depends on the user or the list."""
    connection.execute(
        text("""
        INSERT INTO run_rules (run_no, rule, kind, value, n_items)
        VALUES (:run_no, :name, 'filter', :value, 0)
        """),
        {"run_no": run_no, "name": name, "value": value},
    )


def freeze_brands(connection: Connection, run_no: int, most: int) -> None:
    """Freeze the items of each brand with more than ``most`` items that can be recommended."""
    connection.execute(
        text(f"""
        INSERT INTO run_brands (run_no, brand, item_nos)
        SELECT :run_no, brand, item_nos FROM ({CAPPED}) AS c
        """),  # noqa: S608 - constants of this package
        {"run_no": run_no, "most": most},
    )


def load_blocked(connection: Connection, run_no: int) -> NamedItems:
    """Return item number -> name of the first rule that blocks it in all lists of the run."""
    found = connection.execute(
        text("""
        SELECT rule, item_nos FROM run_rules
        WHERE run_no = :run_no AND action = 'block' AND item_nos IS NOT NULL
        ORDER BY rule COLLATE "C" DESC
        """),
        {"run_no": run_no},
    )
    return NamedItems((row.rule, row.item_nos) for row in found)


def load_brands(connection: Connection, run_no: int) -> NamedItems:
    """Return item number -> brand for the run's frozen brands with an item limit."""
    found = connection.execute(
        text("SELECT brand, item_nos FROM run_brands WHERE run_no = :run_no"), {"run_no": run_no}
    )
    return NamedItems((row.brand, row.item_nos) for row in found)


def load_shown(
    connection: Connection, run_nos: Sequence[int], user_nos: Sequence[int]
) -> dict[int, frozenset[int]]:
    """Return user number -> items in the lists of these runs."""
    found = connection.execute(
        text("""
        SELECT user_no, array_agg(DISTINCT item_no) AS item_nos FROM recommendations
        WHERE run_no = ANY(:runs) AND user_no = ANY(:users) GROUP BY user_no
        """),
        {"runs": list(run_nos), "users": list(user_nos)},
    )
    return {row.user_no: frozenset(row.item_nos) for row in found}


def load_run_rules(connection: Connection, run_no: int) -> list[dict[str, object]]:
    """Return the rules of a run as plain values, without their items."""
    found = connection.execute(
        text("""
        SELECT rule, kind, value, reason, n_items AS items, action, places FROM run_rules
        WHERE run_no = :run_no ORDER BY rule
        """),
        {"run_no": run_no},
    )
    return [dict(row) for row in found.mappings()]
