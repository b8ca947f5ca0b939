"""Values of one source per user and item, for many users at once.

The same numbers as ``ranking.values`` gives for each user alone, bit for bit: sums are in the same
order, and only loops over users are gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.ranking.values import Numbers, Values


class Evidences(NamedTuple):
    """Evidence of some users, user after user, each a list of hits at ``starts`` in flat arrays.

    users: index of the user. of: place of the evidence among the user's. starts, counts: its hits.
    per_user: number of evidences by user, those without hits included. likelihoods: of the queries;
    None: no evidence is a query. bases, units: of each evidence, see ``ranking.scoring.Evidence``;
    None: 0 and 1.
    """

    users: Numbers
    of: Numbers
    starts: Numbers
    counts: Numbers
    per_user: Numbers
    likelihoods: Values | None = None
    bases: Values | None = None
    units: Values | None = None


@dataclass(frozen=True, slots=True)
class ManyValues:
    """Values of items by user, in order of user and item; see ``ranking.values.SourceValues``.

    pairs: the user, shifted by the bits of an item number, and the item.
    """

    pairs: Numbers
    newest: Values
    recent: Values
    mean: Values
    best: Values
    likely: Values
    count: Values
    first: Numbers

    def chosen(self, mask: NDArray[np.bool_]) -> "ManyValues":
        """Return the items of ``mask`` only."""
        return ManyValues(*(getattr(self, name)[mask] for name in self.__slots__))

    def top(self, most: int, item_bits: int) -> tuple[Numbers, Numbers]:
        """Return the indices of each user's ``most`` highest recent values, and their ranks from 0.

        Ties are by the first hit, as in ``SourceValues.top``.
        """
        users, n = self.pairs >> item_bits, len(self.pairs)
        by_value = np.argsort(-self.recent)
        sorted_values = self.recent[by_value]
        places = np.empty(n, np.int64)
        places[by_value] = np.cumsum(np.append(False, sorted_values[1:] != sorted_values[:-1])[:n])
        at = np.empty(int(self.first.max(initial=-1)) + 1, np.int64)
        at[self.first] = np.arange(n)
        # One number per item, sorted as a whole; the last part, its first hit, is its own alone.
        value_bits, hit_bits = n.bit_length(), len(at).bit_length()
        keys = (((users << value_bits) | places) << hit_bits) | self.first
        keys.sort()
        of = keys >> (value_bits + hit_bits)
        is_first = np.append(True, of[1:] != of[:-1])[:n]
        ranks = np.arange(n) - np.maximum.accumulate(np.where(is_first, np.arange(n), 0))
        kept = ranks < most
        return at[keys[kept] & ((1 << hit_bits) - 1)], ranks[kept]


def shares(decay: float, most: int) -> Values:
    """Return [number of evidences, place]: what each of them weighs, as the night divides it."""
    found = np.zeros((most + 1, max(most, 1)))
    for number in range(1, most + 1):
        weights = np.array([decay**age for age in range(number)], np.float64)
        found[number, :number] = weights / weights.sum()
    return found


def values_of_many(
    evidences: Evidences, items: NDArray[np.int32], values: Values, decay: float, item_bits: int
) -> ManyValues:
    """Return the values of all items that the evidence finds.

    items, values: of all hits, by index; a value is a hit's score by the unit of its evidence,
    unless ``evidences`` has base and unit.
    """
    total = int(evidences.counts.sum())
    begins = np.cumsum(evidences.counts) - evidences.counts
    flat = np.arange(total) + np.repeat(evidences.starts - begins, evidences.counts)
    users = np.repeat(evidences.users, evidences.counts)
    # One number per hit, sorted as a whole: hits of a pair keep their order.
    place_bits = max(total - 1, 1).bit_length()
    keys = (users << item_bits) | items[flat]
    keys = (keys << place_bits) | np.arange(total)
    keys.sort()
    order = keys & ((1 << place_bits) - 1)
    keys >>= place_bits
    is_first = np.append(True, keys[1:] != keys[:-1])[:total]
    starts = np.flatnonzero(is_first)
    n = len(starts)
    groups = np.cumsum(is_first) - 1
    own = values[flat[order]]
    if evidences.bases is not None and evidences.units is not None:
        own = own - np.repeat(evidences.bases, evidences.counts)[order]
        own = own / np.repeat(evidences.units, evidences.counts)[order]
    pairs, first = keys[starts], order[starts]
    is_newest = np.repeat(evidences.of == 0, evidences.counts)[first]
    table = shares(decay, int(evidences.per_user.max(initial=0)))
    weights = table[evidences.per_user[evidences.users], evidences.of]
    weighted = own * np.repeat(weights, evidences.counts)[order]
    number = evidences.per_user[pairs >> item_bits]
    likely = own
    if evidences.likelihoods is not None:
        likely = own * np.repeat(evidences.likelihoods, evidences.counts)[order]

    def highest(numbers: Values) -> Values:
        return np.maximum.reduceat(numbers, starts) if n else np.zeros(0)

    return ManyValues(
        pairs,
        np.where(is_newest, own[starts], 0.0),
        np.bincount(groups, weighted, n).astype(np.float64),
        np.bincount(groups, own, n) / np.maximum(number, 1),
        highest(own),
        highest(likely),
        np.diff(starts, append=total).astype(np.float64),
        first,
    )


def joined_ranks(
    tops: Sequence[tuple[Numbers, Numbers]], most: int, item_bits: int
) -> tuple[Numbers, Numbers]:
    """Return the distinct pairs of several sources in sorted order, and their order by rank.

    tops: pairs and ranks of each source. The second array lists indices of the first, user after
    user: all of the first source by rank, then what only later ones have.
    """
    rank_bits = max(len(tops) * most - 1, 1).bit_length()
    keys = np.concatenate(
        [(pairs << rank_bits) | (place * most + ranks) for place, (pairs, ranks) in enumerate(tops)]
        or [np.zeros(0, np.int64)]
    )
    keys.sort()
    pairs = keys >> rank_bits
    is_first = np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]
    keys, pairs = keys[is_first], pairs[is_first]
    index_bits = max(len(keys) - 1, 1).bit_length()
    by_rank = ((pairs >> item_bits) << rank_bits) | (keys & ((1 << rank_bits) - 1))
    by_rank = (by_rank << index_bits) | np.arange(len(keys))
    by_rank.sort()
    return pairs, by_rank & ((1 << index_bits) - 1)
