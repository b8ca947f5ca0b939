"""Existing objects are frozen; later ones are still collected."""

import subprocess
import sys

CODE = """
import gc, weakref
from gpt4rec_es.gc_freeze import freeze_gc

freeze_gc()
assert gc.get_freeze_count() > 0
assert gc.get_threshold()[0] > 700

class Node:
    pass

node = Node()
node.itself = node
gone = weakref.ref(node)
del node
for _ in range(200_000):
    [[]]
    Node().more = []
keep = [[] for _ in range(200_000)]
assert gone() is None
"""


def test_later_garbage_goes() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True, timeout=60)
