"""Measurements that are run by hand: what generation costs, and that its engines agree.

Not shipped with the package. `make bench-generation` and docs/engine.md say how to run them.
"""
