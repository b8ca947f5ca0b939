"""How many of a query's terms a title must have, worked out as Elasticsearch and Lucene do.

Shares are rounded down, also of what may be missing; a query of one term knows no minimum; each
repetition of a term counts.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.options.minimum_should_match import Requirement, parse_requirements

Integers = NDArray[np.int64]


def required_terms(lengths: Sequence[int], options: SearchOptions) -> Integers:
    """Return how many terms of queries of ``lengths`` terms must match, always at least 1.

    It may be more than a query has: then nothing matches.
    """
    asked = options.minimum_should_match
    if asked is None:
        return np.ones(len(lengths), np.int64)
    requirements = parse_requirements(asked)
    known = {length: _required(length, requirements) for length in set(lengths)}
    return np.array([known[length] for length in lengths], np.int64)


def _required(length: int, requirements: Sequence[Requirement]) -> int:
    # One term is no boolean query, and only such a query has a minimum.
    if length < 2:
        return 1
    required = length
    for one in requirements:
        if length <= one.above:
            break
        required = _amount(length, one)
    return max(1, required)


def _amount(length: int, one: Requirement) -> int:
    amount = abs(one.amount)
    if one.is_share:
        amount = length * amount // 100
    return length - amount if one.amount < 0 else amount
