"""Settings of Python's garbage collector for batch work.

By default it starts after every 700 new containers and regularly traverses all objects. Parsing one
response of Elasticsearch makes ten thousand containers, none of them garbage, and traversing
hundreds of loaded modules meanwhile took two thirds of the client's time of a search.
"""

import gc

# Thresholds of the three generations, see gc.set_threshold.
_THRESHOLDS = (50_000, 20, 50)


def freeze_gc() -> None:
    """Freeze all existing objects (gc.freeze), and let the collector start less often.

    Called when long work starts, after its libraries are loaded. Repeated calls are cheap.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
