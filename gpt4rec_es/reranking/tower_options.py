"""Options of the two towers; imports no torch."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from gpt4rec_es.errors import UsageError

UserMode = Literal["id", "history", "both"]
HEADS = 2  # of blocks that read histories


@dataclass(frozen=True, slots=True)
class TowerOptions:
    """Options of towers.

    user_mode: users are read by their number, by their history, or by both. history_length: newest
    items that are read. id_dropout: part of the IDs that training replaces by the one of unknown
    items or users, so that metadata alone learn to serve these. attribute_dropout: part of the
    users that training reads without their attributes, so that users without any are served.
    blocks: of a transformer that reads histories in their order; 0: they are read as the weighted
    mean of their items.
    """

    user_mode: UserMode = "both"
    history_length: int = 20
    id_dropout: float = 0.1
    blocks: int = 0
    attribute_dropout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse unusable values."""
        if self.user_mode not in {"id", "history", "both"}:
            raise UsageError(f"{self.user_mode!r} is no user mode.", "Choose id, history or both.")
        rates = (self.id_dropout, self.attribute_dropout)
        if self.history_length < 1 or not all(0 <= rate < 1 for rate in rates):
            raise UsageError(
                "The history length is below 1, or a dropout outside of 0 to 1.",
                "Usual are 20 and 0.1.",
            )
        if self.blocks < 0 or (self.blocks and self.user_mode == "id"):
            raise UsageError(
                f"{self.blocks} blocks cannot read histories with user mode {self.user_mode!r}.",
                "Choose 0 blocks or more, and user mode history or both.",
            )

    def require_width(self, dim: int) -> None:
        """Refuse a width of the towers that blocks cannot divide among their heads."""
        if self.blocks and dim % HEADS:
            raise UsageError(
                f"{self.blocks} blocks cannot read a width of {dim}: it is no multiple of {HEADS} "
                "heads.",
                "Choose 64.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values, for cards and checkpoints."""
        return asdict(self)
