"""Python's garbage collector, told what batch work is like.

As it is, it starts after every 700 new containers and every so often looks through all there is.
Parsing one answer of Elasticsearch makes ten thousand containers, none of them garbage, and looking
through hundreds of loaded modules meanwhile took two thirds of the client's time of a search.
"""

import gc

# New containers before the youngest are looked through; and how often the older ones are then.
_THRESHOLDS = (50_000, 20, 50)


def freeze_gc() -> None:
    """Let this process's collector leave alone what exists now, and start less often.

    For the start of long work, when the libraries it needs are loaded. Doing it again is cheap.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
