"""Batches of sequences of similar length, within a budget of token places."""

from collections.abc import Sequence


def plan_batches(lengths: Sequence[int], beams: int, token_budget: int) -> list[list[int]]:
    """Return batches of indices into ``lengths``, longest first, every index exactly once.

    A batch costs its longest length x members x ``beams`` token places, at most ``token_budget``
    unless a single member costs more. Equal lengths keep their order.
    """
    batches: list[list[int]] = []
    capacity = 0
    for position in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if not batches or len(batches[-1]) >= capacity:
            batches.append([])
            capacity = max(1, token_budget // (max(1, lengths[position]) * beams))
        batches[-1].append(position)
    return batches
