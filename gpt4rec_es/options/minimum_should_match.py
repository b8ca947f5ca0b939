"""Parser of Elasticsearch's ``minimum_should_match`` syntax.

The number for a query of N terms is computed by the server, and in this process by
``retrieval.memory_matching``.
"""

import re
from dataclasses import dataclass

_BOUND = re.compile(r"[0-9]{1,4}")
_AMOUNT = re.compile(r"([+-]?[0-9]{1,4})(%?)")
_MOST_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Requirement:
    """Number of terms that must match in queries of more than ``above`` terms; negative: may miss.

    is_percentage: ``amount`` is a percentage.
    """

    above: int
    amount: int
    is_percentage: bool


def parse_requirements(text: str) -> tuple[Requirement, ...]:
    """Return the requirements in ``text``, as in "2", "-25%" or "2<-25% 9<-3"; the last that holds.

    Raises:
        ValueError: it is not what Elasticsearch accepts, or can never be met.
    """
    parts = re.sub(r"\s*<\s*", "<", text.strip()).split()
    if len(parts) == 1 and "<" not in parts[0]:
        return (_requirement(0, parts[0]),)
    found = []
    for part in parts:
        bound, _, amount = part.partition("<")
        if not _BOUND.fullmatch(bound):
            raise ValueError(_ALLOWED)
        found.append(_requirement(int(bound), amount))
    bounds = [one.above for one in found]
    if not found or bounds != sorted(set(bounds)):
        raise ValueError(f"{_ALLOWED}, smaller numbers of terms first")
    return tuple(found)


def canonical_requirements(text: str) -> str:
    """Return ``text`` as everybody should write it, so that equal requirements are equal texts.

    Raises:
        ValueError: see ``parse_requirements``.
    """
    found = parse_requirements(text)
    amounts = [f"{one.amount}{'%' if one.is_percentage else ''}" for one in found]
    if "<" not in text:
        return amounts[0]
    return " ".join(f"{one.above}<{amount}" for one, amount in zip(found, amounts, strict=True))


_ALLOWED = (
    "must be a number of terms (2, -1), a percentage (75%, -25%) or either from a number of terms "
    "on (3<75%, 2<-25% 9<-3)"
)


def _requirement(above: int, amount: str) -> Requirement:
    match = _AMOUNT.fullmatch(amount)
    if match is None:
        raise ValueError(_ALLOWED)
    number, is_percentage = int(match[1]), bool(match[2])
    if is_percentage and abs(number) > _MOST_PERCENT:
        raise ValueError("must not ask for more than 100%")
    return Requirement(above, number, is_percentage)
