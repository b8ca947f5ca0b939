"""Defects that were invented after the gates were frozen; see docs/benchmarks.md."""

from benchmarks.gates.changes import Defect

INVENTED: tuple[Defect, ...] = ()
