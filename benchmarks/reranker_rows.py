"""The rows of the comparison of re-rankers: each differs from one in what it names."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.word_vectors import WordEncoder
from gpt4rec_es.encoders.adapters import LoraOptions, add_adapters
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.encoders.tokenizer import save_tokenizer, train_tokenizer
from gpt4rec_es.lab.training.new_network import new_network
from gpt4rec_es.lab.training.reranker_options import STAGES, RerankerOptions, Stage
from gpt4rec_es.reranking.learning import LearningTowers, LossOptions
from gpt4rec_es.reranking.metadata import MISSING, Metadata, RecommenderData
from gpt4rec_es.reranking.recommenders import GPT2Recommender, GPT2RecommenderEnhanced
from gpt4rec_es.reranking.tower_options import TowerOptions


@dataclass(frozen=True)
class Row:
    """A method. against: the row that it differs from as ``difference`` says, mostly in one thing.

    enhanced False: GPT2Recommender. learns: what of the GPT-2 learns where a stage is dynamic.
    metadata False: no item or user has any. changes: options of the training.
    """

    difference: str
    against: str | None = None
    stages: tuple[Stage, ...] = STAGES["no-finetune"]
    enhanced: bool = True
    learns: Literal["nothing", "adapters", "all"] = "nothing"
    reader: Literal["trained", "random", "words"] = "trained"
    metadata: bool = True
    changes: dict[str, Any] = field(default_factory=dict)


_GATES: dict[str, Any] = {"use_attention": False}
_SOME_UNKNOWN = {"attribute_dropout": 0.1}
_CACHED, _DYNAMIC = STAGES["hybrid"]
_BLOCKS = (Stage("cached", 70, 1e-3),)
# A row of the batch is a whole history then, so that the usual number of examples makes few steps.
_ORDER = {"blocks": 2, "history_length": 100, "batch_size": 2048, "lr_factor": 2.0}
ROWS: dict[str, Row] = {
    "popularity": Row("the items with the most buyers"),
    "bpr_mf": Row("IDs of users and items alone"),
    "sasrec": Row("IDs of items alone, in their order"),
    "fast": Row("GPT2Recommender: metadata as one text beside the ID", enhanced=False),
    "fast-no-contrast": Row(
        "no contrastive term", "fast", enhanced=False, changes={"contrastive_weight": 0.0}
    ),
    "gates": Row("fields apart, gated", "fast", changes=_GATES),
    "no-finetune": Row("attention to fields instead of gates", "gates"),
    "sequence": Row(
        "100 items read in order; smaller batches", "no-finetune", _BLOCKS, changes=_ORDER
    ),
    "sequence-words": Row(
        "a bag of words for each field", "sequence", _BLOCKS, reader="words", changes=_ORDER
    ),
    "sequence-no-metadata": Row("no metadata", "sequence", _BLOCKS, metadata=False, changes=_ORDER),
    "no-contrast": Row("no contrastive term", "no-finetune", changes={"contrastive_weight": 0.0}),
    "random-gpt2": Row("a GPT-2 with random weights", "no-finetune", reader="random"),
    "words": Row("a bag of words for each field", "no-finetune", reader="words"),
    "no-metadata": Row("no metadata", "no-finetune", metadata=False),
    "bpr-loss": Row("BPR instead of sampled softmax", "no-finetune", changes={"objective": "bpr"}),
    "adapters": Row(
        "dynamic reading, adapters learn",
        "no-finetune",
        tuple(replace(stage, phase="dynamic") for stage in STAGES["no-finetune"]),
        learns="adapters",
    ),
    "whole-gpt2": Row(
        "the whole GPT-2 learns, without adapters",
        "adapters",
        tuple(replace(stage, phase="dynamic") for stage in STAGES["no-finetune"]),
        learns="all",
    ),
    "end-to-end": Row(
        "half the learning rate, more epochs", "adapters", STAGES["end-to-end"], learns="adapters"
    ),
    "attributes": Row(
        "a tenth of the users without attributes", "gates", changes=_GATES | _SOME_UNKNOWN
    ),
    "longer": Row(
        "a second stage at half the learning rate",
        "no-finetune",
        (_CACHED, replace(_DYNAMIC, phase="cached")),
    ),
    "hybrid": Row(
        "the second stage is dynamic, adapters learn", "longer", STAGES["hybrid"], learns="adapters"
    ),
}
BASELINES = ("bpr_mf", "sasrec")


@dataclass(frozen=True, slots=True)
class RowOptions(RerankerOptions):
    """Options with stages of a row instead of those of a preset."""

    own: tuple[Stage, ...] = ()
    most: tuple[int, ...] = ()
    lr_factor: float = 1.0
    attribute_dropout: float = 0.0

    @property
    def towers(self) -> TowerOptions:
        """The options of the towers."""
        return TowerOptions(
            self.user_mode,
            self.history_length,
            blocks=self.blocks,
            attribute_dropout=self.attribute_dropout,
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the row, each with at most ``most`` epochs, and ``lr_factor`` times its lr.

        The last number holds for further stages.
        """
        found = []
        for place, stage in enumerate(self.own):
            most = self.most[min(place, len(self.most) - 1)] if self.most else stage.epochs
            epochs = min(stage.epochs, most)
            found.append(replace(stage, epochs=epochs, lr=stage.lr * self.lr_factor))
        return tuple(found)


def options_of_row(row: Row, **common: Any) -> RowOptions:
    """Return the options of the training, those of all rows and the changes of this one."""
    return RowOptions(own=row.stages, **common | row.changes)


def data_of_row(row: Row, data: RecommenderData) -> RecommenderData:
    """Return the data as the row's network reads them."""
    if row.metadata:
        return data
    places = torch.full_like(data.items.places, MISSING)
    return RecommenderData(Metadata(data.items.fields, data.items.texts, places), data.histories)


def new_model(
    row: Row, data: RecommenderData, options: RowOptions, gpt2: Path, work: Path
) -> LearningTowers:
    """Return the untrained network of a row, from torch's current seed.

    gpt2: folder of the trained GPT-2. work: for one with random weights.
    """
    source = random_copy(gpt2, work / "random-gpt2") if row.reader == "random" else gpt2
    encoder: Any = open_encoder(source)
    if row.reader == "words":
        encoder = WordEncoder(encoder.width)
    elif row.learns == "adapters":
        add_adapters(encoder, LoraOptions())  # before the seed, so that all else begins as without
    loss = LossOptions(options.objective, options.contrastive_weight)
    sizes = len(data.histories), len(data.items), options.dim, data
    torch.manual_seed(options.seed)
    if not row.enhanced:
        return GPT2Recommender(*sizes, encoder=encoder, options=options.towers, loss=loss)
    return GPT2RecommenderEnhanced(
        *sizes,
        encoder=encoder,
        use_peft=row.learns == "adapters",
        freeze_gpt2=row.learns == "nothing",
        use_cache=options.stages[0].phase == "cached",
        use_attention=options.use_attention,
        options=options.towers,
        loss=loss,
    )


def random_copy(gpt2: Path, folder: Path) -> Path:
    """Write a GPT-2 of the same shape and tokenizer with random weights."""
    if not folder.exists():
        torch.manual_seed(0)
        GPT2LMHeadModel(GPT2Config.from_pretrained(gpt2)).save_pretrained(folder)
        checkpoint = open_checkpoint(gpt2)
        save_tokenizer(checkpoint.tokenizer, folder, checkpoint.context)
    return folder


def random_gpt2(folder: Path, titles: list[str]) -> Path:
    """Write a tiny GPT-2 with random weights and a tokenizer of the titles."""
    if not folder.exists():
        torch.manual_seed(0)
        tokenizer = train_tokenizer(titles, 3000)
        network = new_network("tiny", tokenizer.size, tokenizer.end_id)
        network.save_pretrained(folder)
        save_tokenizer(tokenizer, folder, int(network.config.n_positions))
    return folder
