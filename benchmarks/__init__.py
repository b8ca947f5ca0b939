"""Benchmarks, started by make targets; they are not part of the package.

`make bench` (docs/benchmarks.md), `make bench-generation` (docs/beam-search.md), `make
bench-tuning`.
"""
