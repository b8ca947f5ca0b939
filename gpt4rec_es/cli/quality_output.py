"""How ``gpt4rec quality`` prints what its use cases return; nothing is asked or computed here."""

from collections.abc import Sequence
from typing import Any

from gpt4rec_es.cli.output import plural, print_line, print_table

_METHODS = ("published", "popularity", "newest_title")


def print_due(data: dict[str, Any]) -> None:
    """Print the runs that would be measured."""
    print_table(["would be measured"], [[run_id] for run_id in data["due"]])


def print_nights(data: dict[str, Any]) -> None:
    """Print one line per night and age: users that bought, and hit rates by method."""
    rows = []
    for one in data["measurements"]:
        by_method = {each["method"]: each["hit_rate"] for each in one["methods"]}
        rates = [_percent(by_method[method]) for method in _METHODS]
        rows.append([one["run_id"], one["age_days"], one["n_users"], *rates, one["is_complete"]])
    if rows:
        print_line("users that bought something new, and those whose list had it:")
    columns = ["run_id", "days", "users", "list", "popularity", "newest title", "complete"]
    print_table(columns, rows)
    _print_decline(data["decline"])
    _print_notes(data)


def print_run(data: dict[str, Any]) -> None:
    """Print one run: each method by age with intervals, then hits by rank, source and outcome."""
    for one in data["measurements"]:
        print_line(
            f"{plural(one['age_days'], 'day')}: {plural(one['n_users'], 'user')} bought "
            f"{plural(one['n_bought'], 'new item')}; measured on {one['measured_on']}"
            + ("" if one["is_complete"] else "; not all purchases of these days may be imported")
        )
        print_table(
            ["method", "hit rate %", "recall %", "list's gain %"],
            [_method_row(each) for each in one["methods"]],
        )
    ages = [one["age_days"] for one in data["measurements"]]
    for part, what in (
        ("rank", "recommendations at rank"),
        ("source", "recommendations by source"),
        ("outcome", "users by outcome"),
    ):
        rows = _part_rows([row for row in data["parts"] if row["part"] == part], ages)
        if rows:
            print_table(
                [part, *(plural(age, "day") for age in ages)],
                rows,
                title=f"{what}: bought of those of users that bought",
            )
    _print_arms(data["arms"])
    _print_notes(data)


def _method_row(figure: dict[str, Any]) -> list[Any]:
    return [
        figure["method"],
        *(_interval(figure, name) for name in ("hit_rate", "recall", "gain")),
    ]


def _print_arms(arms: Sequence[dict[str, Any]]) -> None:
    if not arms:
        return
    print_line(
        "Holdback: arms are random groups of users, so differences between them are effects of "
        "the lists, unlike all other figures here."
    )
    print_table(
        ["days", "arm", "users", "bought new %", "recipe gains %", "clear", "users needed"],
        [_arm_row(one) for one in arms],
    )
    if any(one["recipe_against_it"] for one in arms):
        print_line(
            "clear: the 95 % interval excludes 0. users needed: in each arm, to find a difference "
            "of a tenth in 8 of 10 cases"
        )


def _arm_row(arm: dict[str, Any]) -> list[Any]:
    against = arm["recipe_against_it"]
    bought = 100 * arm["n_buyers"] / arm["n_users"] if arm["n_users"] else None
    row = [arm["age_days"], arm["arm"], arm["n_users"], bought]
    if against is None:
        return [*row, None, None, None]
    ends = (100 * against[end] for end in ("difference", "low", "high"))
    gain = "{:.2f} {:.2f}..{:.2f}".format(*ends)
    return [*row, gain, against["is_clear"], against["needed"]]


def _part_rows(parts: Sequence[dict[str, Any]], ages: Sequence[int]) -> list[list[Any]]:
    found: dict[str, dict[int, str]] = {}
    for one in parts:
        shown = f"{one['n_hits']:,}/{one['n_judged']:,}"
        found.setdefault(one["value"], {})[one["age_days"]] = shown
    return [[value, *(cells.get(age) for age in ages)] for value, cells in found.items()]


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.2f} %"


def _interval(figure: dict[str, Any], name: str) -> str | None:
    """Return a figure in per cent with its 95 % interval, as 12.34 11.91..15.70."""
    if figure[name] is None:
        return None
    mean, low, high = (100 * figure[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{mean:.2f} {low:.2f}..{high:.2f}"


def _print_decline(decline: dict[str, Any] | None) -> None:
    if decline is None:
        return
    verdict = "DECLINE: " if decline["is_declined"] else ""
    print_line(
        f"{verdict}{decline['worse']} of the newest {plural(decline['pairs'], 'night')} "
        f"{'is' if decline['worse'] == 1 else 'are'} worse than a week before (hit rate "
        f"{decline['before']:.2%} -> {decline['hit_rate']:.2%}){_chance(decline)}"
    )


def _chance(decline: dict[str, Any]) -> str:
    if decline["p_value"] is None:
        return "; 7 pairs of nights are needed to judge a decline"
    return f"; p {decline['p_value']:.2g}, beside popular items {decline['ratio_p_value']:.2g}"


def _print_notes(data: dict[str, Any]) -> None:
    if data["reason"]:
        print_line(data["reason"])
    print_line(data["caution"])
