"""CPU time of the best items of a catalog for each user, on drawn vectors.

``python -m benchmarks.best_items ITEMS USERS`` prints milliseconds per user and the memory that the
search takes beside the vectors.
"""

import argparse
import resource
import time

import numpy as np

from gpt4rec_es.ranking.best_items import best_items
from gpt4rec_es.ranking.vectors import ItemVectors

_WIDTH = 65  # 64 components and the bias
_LARGEST = 1000  # about 1 in fixed point


def main() -> None:
    """Draw vectors, search once, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("items", type=int)
    parser.add_argument("users", type=int)
    parser.add_argument("--most", type=int, default=100, help="items per user")
    given = parser.parse_args()
    chance = np.random.default_rng(0)
    shapes = ((given.items, _WIDTH), (given.users, _WIDTH))
    of_items, of_users = (chance.integers(-_LARGEST, _LARGEST, shape, np.int16) for shape in shapes)
    findable = np.ones(given.items, np.bool_)
    items = ItemVectors(np.arange(given.items), of_items, findable)
    before, started = _peak_mb(), time.process_time()
    best_items(of_users, items, given.most, findable, [()] * given.users)
    per_user = (time.process_time() - started) / given.users
    print(f"{1000 * per_user:.2f} ms per user, {_peak_mb() - before:.0f} MB more")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
