"""Detection of a training that diverged, so that no network of NaNs is saved."""

import math
from typing import Any

from gpt4rec_es.encoders.network import non_finite_weight
from gpt4rec_es.errors import UsageError


class DivergedError(UsageError):
    """Training diverged: the loss or a weight is no finite number, or the loss is absurd."""


def _diverged(phase: str, step: int, what: str) -> DivergedError:
    """Return the error that names the ``phase`` and ``step`` at which ``what`` was found."""
    return DivergedError(
        f"Training diverged at step {step:,} of phase {phase}: {what}.",
        "Lower the learning rates (--lr, --pretrain-lr), or raise --warmup-steps. "
        "Snapshots saved earlier are kept.",
    )


def require_finite_loss(loss: float, phase: str, step: int) -> None:
    """Check a loss, measured at ``step`` of a phase.

    Raises:
        DivergedError: it is NaN or infinite.
    """
    if not math.isfinite(loss):
        raise _diverged(phase, step, "the loss is not finite")


def require_learned(loss: float, guessing: float, phase: str, step: int) -> None:
    """Check the loss on examples of a phase after its last step.

    guessing: loss of a network that gives every token the same probability. Weights may be finite
    and still be of a training that diverged.

    Raises:
        DivergedError: the loss is not finite, or more than twice that of guessing.
    """
    require_finite_loss(loss, phase, step)
    if loss > 2 * guessing:
        what = f"the loss per token is {loss:,.1f}, where guessing gives {guessing:.1f}"
        raise _diverged(phase, step, what)


def require_finite_weights(network: Any, phase: str, step: int) -> None:
    """Check the weights after ``step`` of a phase.

    Raises:
        DivergedError: a weight is NaN or infinite.
    """
    if name := non_finite_weight(network):
        raise _diverged(phase, step, f"a weight of {name} is not finite")
