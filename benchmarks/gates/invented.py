"""Defects that were invented after the gates were frozen; see docs/benchmarks.md."""

from benchmarks.gates.defects import Defect

INVENTED: tuple[Defect, ...] = ()
