"""Rules that block, boost or pin items, brands and categories: add, remove, list, read from files.

They apply to nights planned afterwards; planned and published runs do not change.
"""

import csv
import datetime as dt
import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from gpt4rec_es.catalog.contradictions import (
    refuse_contradictions,
    standing_warnings,
    warnings_of,
)
from gpt4rec_es.db.engine import retrying, transaction
from gpt4rec_es.db.rows import audit
from gpt4rec_es.db.rows import rules as rows
from gpt4rec_es.db.rows.rules import BlockRule, NewRule
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.files import require_regular

COLUMNS = ("kind", "value", "reason", "valid_from", "valid_until", "action", "places")
# More places than any list has; a boost by as many puts a candidate first.
MOST_PLACES = 1000


@dataclass(frozen=True, slots=True)
class AddedRules:
    """Rules that were added.

    rules: those stored (none on a dry run); known: those in force already. items: number of
    current catalog items that each given rule matches, in the order of the given rules. warnings:
    what the given rules will not do, in sentences.
    """

    rules: list[int]
    known: int
    items: list[int]
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def add_rules(
    engine: Engine,
    rules: Sequence[NewRule],
    *,
    actor: str,
    must_match: bool = False,
    dry_run: bool = False,
    k: int | None = None,
) -> AddedRules:
    """Add rules, all or none, and report them; a rule already in force is not added again.

    must_match: refuse rules that match no item of the current catalog. k: length of lists, to warn
    of pins without a place; None: not known.

    Raises:
        UsageError: a rule is incomplete, matches nothing although it must, or contradicts another.
    """
    checked = [_checked(rule) for rule in rules]
    today = dt.datetime.now(dt.UTC).date()
    with transaction(engine) as connection:
        items = rows.count_matches(connection, checked)
        if must_match:
            _require_matches(connection, checked, items)
        in_force = rows.load_rules(connection)
        refuse_contradictions(checked, in_force, today)
        warnings = warnings_of(connection, checked, in_force, today, k)
        if dry_run:
            return AddedRules([], 0, items, warnings)
        numbers = rows.insert_rules(connection, checked, actor)
        if numbers:
            # The rules hold their actor and reason and are never deleted.
            ends = dict.fromkeys((numbers[0], numbers[-1]))
            audit.record(
                connection,
                actor,
                "add_rules",
                "rule " + " to ".join(map(str, ends)),
                after={"rules": len(numbers)},
            )
    return AddedRules(numbers, len(checked) - len(numbers), items, warnings)


def _require_matches(
    connection: Connection, rules: Sequence[NewRule], items: Sequence[int]
) -> None:
    missing = [rule for rule, n in zip(rules, items, strict=True) if n == 0]
    if not missing:
        return
    first = missing[0]
    known = {value.lower(): value for value in rows.known_values(connection, first.kind)}
    close = difflib.get_close_matches(first.value.lower(), known, n=1)
    also = f" Other rules that match none: {len(missing) - 1}." if missing[1:] else ""
    raise UsageError(
        f"No item of the catalog has the {first.kind} {first.value!r}.{also}",
        (f"Did you mean {known[close[0]]!r}? " if close else "")
        + "--force adds rules for items that are still to come.",
    )


def remove_rule(
    engine: Engine, rule_no: int, *, actor: str, reason: str, dry_run: bool = False
) -> BlockRule:
    """Remove a rule and return its last state.

    Raises:
        UsageError: no such rule is in force.
    """
    with transaction(engine) as connection:
        found = rows.load_rules(connection, numbers=[rule_no])
        if not found:
            raise UsageError(f"No rule {rule_no} is in force.", "See `gpt4rec rules list`.")
        (rule,) = found
        if not dry_run:
            rows.remove_rule(connection, rule_no)
            audit.record(
                connection,
                actor,
                "remove_rule",
                rule.name,
                before={"action": rule.action, "kind": rule.kind, "value": rule.value},
                reason=reason,
            )
    return rule


def list_rules(engine: Engine, *, removed: bool = False) -> list[dict[str, Any]]:
    """Return the rules by number as plain values; ``removed``: include removed ones.

    warnings: sentences on what keeps a boost or pin in force from its effect.
    """
    today = dt.datetime.now(dt.UTC).date()

    def load(connection: Connection) -> tuple[list[BlockRule], dict[int, list[str]]]:
        found = rows.load_rules(connection, removed=removed)
        in_force = [rule for rule in found if rule.removed_at is None]
        return found, standing_warnings(connection, in_force, today)

    found, warnings = retrying(engine, load)
    return [asdict(rule) | {"warnings": warnings.get(rule.rule_no, [])} for rule in found]


def read_rules(path: Path, reason: str | None = None) -> list[NewRule]:
    """Return the rules in a CSV file with the columns ``COLUMNS``; dates may be missing.

    reason: used for rows without one.

    Raises:
        UsageError: the file cannot be read, or lacks a column.
        DataError: a row cannot be used; the first one is named.
    """
    try:
        require_regular(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = {"kind", "value"} - set(reader.fieldnames or ())
            unknown = set(reader.fieldnames or ()) - set(COLUMNS)
            if missing or unknown:
                raise UsageError(
                    f"{path} has the columns {', '.join(reader.fieldnames or ['(none)'])}.",
                    f"It needs kind and value, and may have {', '.join(COLUMNS[2:])}.",
                )
            return [_from_row(path, reader.line_num, row, reason) for row in reader]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV in UTF-8: {error}.", "Save it as such.") from error


def _from_row(path: Path, line: int, row: dict[str | None, Any], reason: str | None) -> NewRule:
    try:
        if None in row or None in row.values():
            raise UsageError("It has more or fewer fields than the header.")
        return _checked(
            NewRule(
                row["kind"],
                row["value"],
                row.get("reason") or reason or "",
                _date(row.get("valid_from")),
                _date(row.get("valid_until")),
                (row.get("action") or "").strip().lower() or rows.BLOCK,
                _places(row.get("places")),
            )
        )
    except UsageError as error:
        raise DataError(f"{path}, line {line}: {error}", "Nothing was added.") from error


def _date(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text.strip()) if text and text.strip() else None
    except ValueError as error:
        raise UsageError(f"{text!r} is no date.", "Write it as 2026-11-22.") from error


def _places(text: str | None) -> int | None:
    try:
        return int(text) if text and text.strip() else None
    except ValueError as error:
        raise UsageError(f"{text!r} is no number of places.", "Write it as 3.") from error


def _checked(rule: NewRule) -> NewRule:
    """Return the rule without spaces around its texts."""
    kind, value, reason = rule.kind.strip().lower(), rule.value.strip(), rule.reason.strip()
    if kind not in rows.KINDS:
        raise UsageError(f"{kind!r} cannot have a rule.", f"Choose one of {', '.join(rows.KINDS)}.")
    if not value or "\0" in value:
        raise UsageError(f"The {kind} is empty.", "Name what the rule is about.")
    if not reason or "\0" in reason:
        raise UsageError("A rule needs a reason.", "Give one, to explain its effect on lists.")
    if rule.valid_from and rule.valid_until and rule.valid_until < rule.valid_from:
        raise UsageError("The rule ends before it begins.", "Give dates in order.")
    _check_action(rule)
    return replace(rule, kind=kind, value=value, reason=reason)


def _check_action(rule: NewRule) -> None:
    if rule.action not in rows.ACTIONS:
        raise UsageError(
            f"{rule.action!r} is no action of a rule.", f"Choose one of {', '.join(rows.ACTIONS)}."
        )
    if rule.action == rows.BLOCK and rule.places is not None:
        raise UsageError("A rule that blocks has no places.", "Leave them out.")
    if rule.action != rows.BLOCK and not 1 <= (rule.places or 0) <= MOST_PLACES:
        raise UsageError(f"A {rule.action} has {rule.places} places.", f"Give 1 to {MOST_PLACES}.")
