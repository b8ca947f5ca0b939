"""Rules that contradict each other: what one boosts or pins, another blocks on the same dates.

Blocks win, so a pin on a blocked item would never be seen. On the same item, brand or category it
is a mistake; where a block only covers items of a boost or pin, it may be meant and is said.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection

from gpt4rec_es.db.rows.rule_overlaps import count_findable, shared_items
from gpt4rec_es.db.rows.rules import BLOCK, PIN, BlockRule, NewRule
from gpt4rec_es.errors import UsageError

Rule: TypeAlias = BlockRule | NewRule


@dataclass(frozen=True, slots=True)
class Overlap:
    """A boost or pin, and a block on some of its items on common dates.

    n_shared: of its ``n_items`` items.
    """

    promotion: Rule
    block: Rule
    n_shared: int
    n_items: int

    def __str__(self) -> str:
        """Say it as a sentence."""
        many = f"{self.n_items:,} items"
        if self.n_shared < self.n_items:
            part = f"{self.n_shared:,} of its {many}"
        else:
            part = f"all of its {many}" if self.n_items > 1 else "its item"
        some = ", on some of its dates" if _is_open_elsewhere(self.promotion, self.block) else ""
        return f"{named(self.promotion)} has no effect on {part}: {named(self.block)} wins{some}."


def named(rule: Rule) -> str:
    """Return a rule in words: rule 3 (pin brand Acme), or without a number while it has none."""
    what = f"{rule.action} {rule.kind} {rule.value}"
    return f"{rule.name} ({what})" if isinstance(rule, BlockRule) else f"the new rule ({what})"


def refuse_contradictions(
    given: Sequence[NewRule], in_force: Sequence[BlockRule], today: dt.date
) -> None:
    """Check that none of ``given`` blocks what another rule boosts or pins, or the reverse.

    Only dates from ``today`` on count.

    Raises:
        UsageError: one does; both are named.
    """
    others: dict[tuple[str, str], list[Rule]] = {}
    every: list[Rule] = [*in_force, *given]
    for rule in every:
        others.setdefault(_subject(rule), []).append(rule)
    for rule in given:
        for other in others[_subject(rule)]:
            if (rule.action == BLOCK) != (other.action == BLOCK) and _share_dates(
                rule, other, today
            ):
                raise UsageError(
                    f"{named(rule)} contradicts {named(other)}{_dates(other)}.",
                    "Remove the other rule first (`gpt4rec rules remove`), or give other dates."
                    if isinstance(other, BlockRule)
                    else "Leave one of them out, or give other dates.",
                )


def warnings_of(
    connection: Connection,
    given: Sequence[NewRule],
    in_force: Sequence[BlockRule],
    today: dt.date,
    k: int | None,
) -> list[str]:
    """Return what ``given`` rules will not do, or undo, in sentences; k: length of lists."""
    every: list[Rule] = [*in_force, *given]
    warnings = [str(one) for one in find_overlaps(connection, every, today, of=given)]
    warnings += without_items(connection, given).values()
    if k is not None and any(rule.action == PIN for rule in given):
        # A rule that is in force already is no second one.
        distinct = {_content(rule): rule for rule in every}
        if said := pins_without_place(list(distinct.values()), k, today):
            warnings.append(said)
    return warnings


def standing_warnings(
    connection: Connection, in_force: Sequence[BlockRule], today: dt.date
) -> dict[int, list[str]]:
    """Return number of a boost or pin -> what keeps it from its effect, in sentences."""
    warnings: dict[int, list[str]] = {}
    for one in find_overlaps(connection, in_force, today):
        if isinstance(one.promotion, BlockRule):
            warnings.setdefault(one.promotion.rule_no, []).append(str(one))
    for place, said in without_items(connection, in_force).items():
        warnings.setdefault(in_force[place].rule_no, []).append(said)
    return warnings


def find_overlaps(
    connection: Connection,
    rules: Sequence[Rule],
    today: dt.date,
    *,
    of: Sequence[Rule] | None = None,
) -> list[Overlap]:
    """Return where blocks of ``rules`` exclude items of boosts and pins from ``today`` on.

    of: only pairs with one of these; None: all.
    """
    blocks = [n for n, rule in enumerate(rules) if rule.action == BLOCK]
    promotions = [n for n, rule in enumerate(rules) if rule.action != BLOCK]
    wanted = None if of is None else {id(rule) for rule in of}
    return [
        Overlap(rules[one.rule], rules[one.other], one.n_shared, one.n_items)
        for one in shared_items(connection, rules, promotions, blocks)
        if _share_dates(rules[one.rule], rules[one.other], today)
        and (wanted is None or {id(rules[one.rule]), id(rules[one.other])} & wanted)
    ]


def without_items(connection: Connection, rules: Sequence[Rule]) -> dict[int, str]:
    """Return place in ``rules`` -> a sentence, of boosts and pins without a findable item."""
    places = [n for n, rule in enumerate(rules) if rule.action != BLOCK]
    counts = count_findable(connection, [rules[n] for n in places])
    return {
        n: f"{named(rules[n])} has no effect now: no active item with a title matches it."
        for n, count in zip(places, counts, strict=True)
        if not count
    }


def _content(rule: Rule) -> tuple[object, ...]:
    return rule.action, rule.kind, rule.value, rule.places, rule.valid_from, rule.valid_until


def pins_without_place(rules: Sequence[Rule], k: int, today: dt.date) -> str | None:
    """Return a sentence if pins want more places on a date than lists of ``k`` give to pins."""
    pins = [rule for rule in rules if rule.action == PIN]
    # The sum is largest on the first date of one of them.
    starts = {max(rule.valid_from or today, today) for rule in pins}
    most = max(
        (
            sum(
                rule.places or 0
                for rule in pins
                if (rule.valid_from or dt.date.min) <= date <= (rule.valid_until or dt.date.max)
            )
            for date in starts
        ),
        default=0,
    )
    if most <= k - 1:
        return None
    room = "no item is pinned" if k == 1 else f"at most {k - 1} are pinned"
    return (
        f"Pins want {most} place{'s' * (most > 1)} of each list, which has {k}. The last place is "
        f"never pinned: {room}, in order of rule numbers."
    )


def _subject(rule: Rule) -> tuple[str, str]:
    """Return what the rule is about; only ids of items are case-sensitive."""
    return rule.kind, rule.value if rule.kind == "item" else rule.value.lower()


def _share_dates(a: Rule, b: Rule, today: dt.date) -> bool:
    first = max(a.valid_from or today, b.valid_from or today, today)
    return first <= min(a.valid_until or dt.date.max, b.valid_until or dt.date.max)


def _is_open_elsewhere(promotion: Rule, block: Rule) -> bool:
    """Return whether the promotion has dates on which the block does not apply."""
    return (block.valid_from or dt.date.min) > (promotion.valid_from or dt.date.min) or (
        block.valid_until or dt.date.max
    ) < (promotion.valid_until or dt.date.max)


def _dates(rule: Rule) -> str:
    parts = (("from", rule.valid_from), ("until", rule.valid_until))
    return "".join(f" {word} {date}" for word, date in parts if date)
