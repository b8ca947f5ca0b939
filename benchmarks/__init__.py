"""Measurements that are run by hand; they are not shipped with the package.

`make bench` (docs/benchmarks.md), `make bench-generation` (docs/beam-search.md), `make
bench-tuning`.
"""
