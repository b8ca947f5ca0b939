"""How ``gpt4rec rules`` prints rules."""

import datetime as dt
from typing import Any

from gpt4rec_es.cli.output import plural, print_line, print_table

# Warnings printed of one import.
_WARNINGS = 20


def print_added(data: dict[str, Any]) -> None:
    """Print which rules were added, or would be."""
    for warning in data["warnings"][:_WARNINGS]:
        print_line(f"Warning: {warning}")
    if (more := len(data["warnings"]) - _WARNINGS) > 0:
        print_line(f"Further warnings: {more:,}; --json has all.")
    about = f"They are about {plural(sum(data['items']), 'item')} of the catalog as it is now."
    if data["dry_run"]:
        print_line(f"Rules that would be added: {len(data['items'])}. {about}")
        return
    numbers = ", ".join(map(str, data["rules"][:10])) + (", ..." if data["rules"][10:] else "")
    print_line(
        f"Rules added: {len(data['rules'])}{f' ({numbers})' if numbers else ''}; "
        f"in force already: {data['known']}. {about}"
    )


def print_rules(found: list[dict[str, Any]], *, wide: bool) -> None:
    """Print rules, one per line."""
    columns = ["rule", "action", "kind", "value", "dates", "reason", "by", "created", "removed"]
    print_table(
        columns,
        [
            (
                rule["rule_no"],
                _action(rule["action"], rule["places"]),
                rule["kind"],
                rule["value"],
                _dates(rule["valid_from"], rule["valid_until"]),
                rule["reason"],
                rule["actor"],
                rule["created_at"],
                rule["removed_at"],
            )
            for rule in found
        ],
        keep=None if wide else {"rule", "action", "kind", "value", "dates", "reason"},
    )
    for rule in found:
        for warning in rule["warnings"]:
            print_line(f"Warning: {warning}")


def _action(action: str, places: int | None) -> str:
    """Return an action with its places: block, boost by 5, pin 2."""
    if places is None:
        return action
    return f"{action} by {places}" if action == "boost" else f"{action} {places}"


def _dates(first: dt.date | None, last: dt.date | None) -> str | None:
    parts = (("from", first), ("until", last))
    return " ".join(f"{word} {date}" for word, date in parts if date) or None
