"""Types of numeric options, which refuse what no computation can use."""

import math
from typing import Any

import click

# Of all random generators: numpy's oldest one takes 32 bits.
SEEDS = click.IntRange(0, 2**32 - 1)


class _Finite(click.types.FloatParamType):
    """A finite number."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return the number."""
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return found


class FloatRange(click.FloatRange):
    """A range of finite numbers: comparisons alone let NaN pass."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return the number."""
        return float(super().convert(FLOAT.convert(value, param, ctx), param, ctx))


FLOAT = _Finite()
