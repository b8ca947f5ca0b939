"""Options and presets of the training of a re-ranker; imports no torch."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from gpt4rec_es.errors import UsageError
from gpt4rec_es.reranking.tower_options import TowerOptions, UserMode

MOST_READ = 1000  # items of a history; time and memory of blocks grow with the square

RerankerPreset = Literal["fast", "no-finetune", "hybrid", "end-to-end"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Part of a training in one phase; ``epochs`` at most, ``lr`` of all but the GPT-2."""

    phase: Literal["cached", "dynamic"]
    epochs: int
    lr: float


# fast: metadata as fixed vectors beside IDs. no-finetune: IDs attend to fixed vectors. hybrid: the
# same, and then the adapters of the GPT-2 learn, too. end-to-end: they learn from the start.
STAGES: dict[RerankerPreset, tuple[Stage, ...]] = {
    "fast": (Stage("cached", 20, 1e-3),),
    "no-finetune": (Stage("cached", 20, 1e-3),),
    "hybrid": (Stage("cached", 12, 1e-3), Stage("dynamic", 25, 5e-4)),
    "end-to-end": (Stage("dynamic", 50, 5e-4),),
}


@dataclass(frozen=True, slots=True)
class RerankerOptions:
    """Options of a training; see the help of `gpt4rec train reranker`.

    epochs, lr: replace those of each stage of the preset. encoder_lr: of the adapters. patience:
    epochs without a better NDCG@10 on validation users after which a stage ends. samples: negatives
    of a batch. max_norm: to which gradients are clipped. learn_validation: the validation part is
    training data, too, and each stage has all its epochs.
    """

    preset: RerankerPreset = "no-finetune"
    dim: int = 64
    user_mode: UserMode = "history"
    history_length: int = 20
    blocks: int = 0
    objective: Literal["softmax", "bpr"] = "softmax"
    use_attention: bool = True
    contrastive_weight: float = 0.1
    epochs: int | None = None
    lr: float | None = None
    encoder_lr: float = 1e-4
    weight_decay: float = 1e-5
    batch_size: int = 1024
    samples: int = 256
    patience: int = 5
    max_norm: float = 1.0
    seed: int = 1
    learn_validation: bool = False
    device: str = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        """Refuse an unknown preset and numbers below 1."""
        if self.preset not in STAGES:
            raise UsageError(
                f"There is no preset {self.preset!r}.", f"There are: {', '.join(STAGES)}."
            )
        for name in ("dim", "batch_size", "samples", "patience", "history_length"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}.", "It is at least 1.")
        if self.history_length > MOST_READ:
            raise UsageError(f"history_length is {self.history_length}.", f"At most {MOST_READ}.")
        self.towers.require_width(self.dim)
        if self.epochs is not None and self.epochs < 1:
            raise UsageError(f"epochs is {self.epochs}.", "It is at least 1.")

    @property
    def towers(self) -> TowerOptions:
        """The options of the towers.

        Raises:
            UsageError: they do not fit each other.
        """
        return TowerOptions(self.user_mode, self.history_length, blocks=self.blocks)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the preset with ``epochs`` and ``lr``."""
        return tuple(
            Stage(stage.phase, self.epochs or stage.epochs, self.lr or stage.lr)
            for stage in STAGES[self.preset]
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values, for cards."""
        return asdict(self)
