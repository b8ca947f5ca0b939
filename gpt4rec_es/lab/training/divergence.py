"""Detection of a training that diverged, so that no network of NaNs is saved."""

import math
from typing import Any

from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.network import non_finite_weight


class DivergedError(UsageError):
    """Training diverged: the loss or a weight is no finite number."""

    def __init__(self, phase: str, step: int, what: str) -> None:
        """Name the ``phase`` and ``step`` at which ``what`` is not finite."""
        super().__init__(
            f"Training diverged at step {step:,} of phase {phase}: {what} is not finite.",
            "Lower the learning rates (--lr, --pretrain-lr), or raise --warmup-steps. "
            "Snapshots saved before this step are unharmed.",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by message, as the base class does."""
        return (UsageError, (self.message, self.hint))


def require_finite_loss(loss: float, phase: str, step: int) -> None:
    """Check a loss, measured at ``step`` of a phase.

    Raises:
        DivergedError: it is NaN or infinite.
    """
    if not math.isfinite(loss):
        raise DivergedError(phase, step, "the loss")


def require_finite_weights(network: Any, phase: str, step: int) -> None:
    """Check the weights after ``step`` of a phase.

    Raises:
        DivergedError: a weight is NaN or infinite.
    """
    if name := non_finite_weight(network):
        raise DivergedError(phase, step, f"a weight of {name}")
