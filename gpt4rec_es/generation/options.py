"""Options, presets and report of a training; imports no torch.

The defaults of ``TrainingOptions`` are those of the GPT4Rec paper (section 4.1) where it gives a
value: it fine-tunes the pretrained GPT-2. A new small network learns little by them.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gpt4rec_es.errors import UsageError
from gpt4rec_es.prompts.examples import Pairs
from gpt4rec_es.records import PromptForm

Size = Literal["tiny", "small", "gpt2"]
History = Literal["words", "vectors"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]

# Vocabulary size of a tokenizer trained for a new network, by network size.
VOCABULARIES: dict[Size, int] = {"tiny": 3000, "small": 6000, "gpt2": 30000}


Preset = Literal["paper", "small", "demo", "vectors"]
# small: of the shops in docs/quality.md, an hour on a core for ten thousand users. demo: good
# queries after a few minutes. vectors: for histories as vectors, most of it for the decoder.
PRESETS: dict[Preset, dict[str, Any]] = {
    "paper": {},
    "small": {
        "pretrain_epochs": 5.0,
        "pretrain_lr": 2e-3,
        "epochs": 2.0,
        "lr": 4e-4,
        "weight_decay": 0.05,
        "warmup_steps": 300,
    },
    "demo": {
        "pretrain_epochs": 1.0,
        "pretrain_lr": 3e-3,
        "pairs": "every-prefix",
        "newest_pairs": 2,
        "epochs": 2.0,
        "lr": 1e-3,
        "batch_size": 16,
    },
    "vectors": {
        "pretrain_epochs": 40.0,
        "pretrain_lr": 2e-3,
        "epochs": 5.0,
        "lr": 2e-3,
        "warmup_steps": 100,
        "batch_size": 256,
    },
}
# Newest titles that a new reader of vectors reads; a title is one place of its network.
_READ_TITLES = 50


@dataclass(frozen=True)
class TrainingOptions:
    """Training options; see the help of `gpt4rec train generator`.

    start: checkpoint folder or hub id to start from; None: a new network of ``size``. lora: rank of
    adapters that learn in place of its weights. prune_vocab: whether it loses the tokens that
    neither the catalog nor prompts use. history: how it reads a history; for "vectors" the
    pretrain_ options are those of the reader, at most pretrain_epochs, and epochs are those of the
    decoder behind it. vocab_size, pretrain_epochs None: chosen by size, and by whether the network
    is new. warmup_steps: maximum; never more than a tenth of a phase's steps. reserve: tokens of
    the context reserved for the target. max_steps, max_minutes: limits for both phases together.
    snapshots: number of generator copies saved during training, each in a separate folder.
    prompt_titles, newest_first None: as in the start checkpoint, else as in ``PromptForm``.
    """

    start: str | None = None
    lora: int | None = None
    prune_vocab: bool = False
    history: History = "words"
    size: Size = "tiny"
    tokenizer: Path | None = None
    vocab_size: int | None = None
    epochs: float = 20.0
    lr: float = 1e-4
    pairs: Pairs = "last"
    newest_pairs: int | None = None
    pretrain_epochs: float | None = None
    pretrain_lr: float = 1e-3
    warmup_steps: int = 2000
    weight_decay: float = 0.01
    batch_size: int = 32
    dropout: float | None = None
    seed: int = 1
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 0
    max_steps: int | None = None
    max_minutes: float | None = None
    reserve: int = 48
    snapshots: int = 0
    prompt_titles: int | None = None
    newest_first: bool | None = None

    def __post_init__(self) -> None:
        """Refuse invalid options before any data is read."""
        if self.epochs < 0 or (self.pretrain_epochs or 0) < 0:
            raise UsageError("Epochs are below 0.", "Give 0 to leave a phase out.")
        if self.epochs == 0 and not self.new_epochs:
            raise UsageError("There is nothing to train.", "Raise --epochs or --pretrain-epochs.")
        if self.batch_size < 1:
            raise UsageError(f"The batch size is {self.batch_size}.", "It must be at least 1.")
        of_words = self.pairs != "last" or self.newest_pairs or self.newest_first or self.snapshots
        if self.history == "vectors" and (of_words or self.max_steps):
            raise UsageError(
                "Pairs, newest first, snapshots and a maximum of steps are options of a generator "
                "that reads words.",
                "Leave them out, or leave out --history vectors.",
            )
        if (self.lora or self.prune_vocab) and not self.start:
            raise UsageError(
                "A new network has no weights for adapters and no tokens too many.",
                "Name a checkpoint with --start.",
            )
        if self.lora and self.history == "vectors":
            raise UsageError(
                "A decoder that learns to go on from vectors learns with all its weights.",
                "Leave out --lora or --history vectors.",
            )
        if self.start and self.tokenizer:
            raise UsageError(
                "A network that is trained further keeps its tokenizer.",
                "Leave --tokenizer out, or train a new network with --size.",
            )

    @property
    def new_epochs(self) -> float:
        """Return the epochs of causal LM pre-training: by default 3 for a new network, else 0."""
        if self.pretrain_epochs is None:
            return 0.0 if self.start else 3.0
        return self.pretrain_epochs

    def prompt_form(self, start: PromptForm) -> PromptForm:
        """Return the form of prompts: ``start``, overridden by given options."""
        usual = start.titles if self.history == "words" else _READ_TITLES
        titles = usual if self.prompt_titles is None else self.prompt_titles
        newest_first = start.newest_first if self.newest_first is None else self.newest_first
        return PromptForm(titles, newest_first)

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values, for the model card and the fingerprint."""
        return asdict(self) | {"tokenizer": str(self.tokenizer) if self.tokenizer else None}


def fitting_preset(start: str | None, size: Size, history: History = "words") -> Preset:
    """Return the preset for a network: that of the paper for the network of the paper."""
    if history == "vectors":
        return "vectors"
    return "paper" if start or size == "gpt2" else "small"


def training_options(preset: Preset, chosen: dict[str, Any]) -> TrainingOptions:
    """Return the options of a preset, changed by those of ``chosen`` that are not None."""
    given = {name: value for name, value in chosen.items() if value is not None}
    return TrainingOptions(**{**PRESETS[preset], **given})


@dataclass(frozen=True)
class TrainingReport:
    """A finished training. card: data, options, phases, figures, device, seconds, code version."""

    folder: Path
    content_hash: str
    card: dict[str, Any]
