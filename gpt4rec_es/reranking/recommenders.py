"""The two recommenders: metadata as fixed vectors beside IDs, and metadata that IDs attend to."""

from pathlib import Path
from typing import Any

from gpt4rec_es.encoders.adapters import LoraOptions, add_adapters
from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder
from gpt4rec_es.encoders.vectors import VectorCache
from gpt4rec_es.errors import UsageError
from gpt4rec_es.reranking.fusion import Concatenation, FieldAttention, GatedConcatenation
from gpt4rec_es.reranking.learning import LearningTowers, LossOptions
from gpt4rec_es.reranking.metadata import Metadata, RecommenderData, join_fields
from gpt4rec_es.reranking.text_table import Phase, TextTable
from gpt4rec_es.reranking.tower_options import TowerOptions


class GPT2Recommender(LearningTowers):
    """The baseline: all metadata of an item as one text, read once, concatenated with its ID.

    gpt2_model_name: a folder or hub id, unless an ``encoder`` is given. The GPT-2 never learns.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        embed_dim: int,
        dataset: RecommenderData,
        gpt2_model_name: str | Path = "gpt2",
        *,
        encoder: TextEncoder | None = None,
        cache: VectorCache | None = None,
        options: TowerOptions | None = None,
        loss: LossOptions | None = None,
    ) -> None:
        _require_sizes(n_users, n_items, dataset)
        encoder = encoder or open_encoder(gpt2_model_name)
        users = None if dataset.users is None else join_fields(dataset.users)
        joined = RecommenderData(join_fields(dataset.items), dataset.histories, users)
        table = TextTable(encoder, _texts(joined), cache or VectorCache())
        # One text per item: a contrast of ID and metadata is an option here, too.
        loss = loss or LossOptions(contrastive_weight=0)
        super().__init__(embed_dim, joined, table, options or TowerOptions(), loss)
        self.fields = dataset.items.fields
        self.settings = {"embed_dim": embed_dim}
        self.item_fusion = Concatenation(encoder.width, embed_dim, 1, embed_dim)
        if users is not None:
            self.user_fusion = Concatenation(encoder.width, embed_dim, 1, embed_dim)
        table.enter("cached")

    def set_phase(self, phase: Phase, optimizer: Any = None, encoder_lr: float = 1e-5) -> None:
        """Fill the cache anew if the encoder was changed.

        Raises:
            UsageError: the phase is not "cached".
        """
        if phase != "cached":
            raise UsageError(
                "The GPT-2 of a GPT2Recommender never learns.", "Use GPT2RecommenderEnhanced."
            )
        super().set_phase(phase, optimizer, encoder_lr)

    def as_read(self, metadata: Metadata) -> Metadata:
        """Return metadata with all fields of an entity in one."""
        return join_fields(metadata)


class GPT2RecommenderEnhanced(LearningTowers):
    """Each metadata field is a key and a value of cross-attention, the ID embedding the query.

    gpt2_model_name: a folder or hub id, unless an ``encoder`` is given. use_peft: adapters learn
    (``peft_config``), the GPT-2 itself does not. metadata_dim: width of a projected field; None:
    embed_dim. freeze_gpt2: nothing of it ever learns. use_cache: begin with phase "cached"; a
    frozen GPT-2 always does. use_attention False: gated concatenation of all fields.
    contrastive_weight: see LossOptions, which ``loss`` replaces.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        embed_dim: int,
        dataset: RecommenderData,
        gpt2_model_name: str | Path = "gpt2",
        use_peft: bool = True,
        peft_config: LoraOptions | None = None,
        metadata_dim: int | None = None,
        freeze_gpt2: bool = False,
        use_cache: bool = False,
        use_attention: bool = True,
        contrastive_weight: float = 0.1,
        *,
        heads: int = 4,
        encoder: TextEncoder | None = None,
        cache: VectorCache | None = None,
        options: TowerOptions | None = None,
        loss: LossOptions | None = None,
    ) -> None:
        _require_sizes(n_users, n_items, dataset)
        if use_attention and embed_dim % heads:
            raise UsageError(
                f"A width of {embed_dim} is no multiple of {heads} heads.", "Choose 64 and 4."
            )
        encoder = encoder or open_encoder(gpt2_model_name)
        if use_peft and not freeze_gpt2 and not encoder.adapters:
            add_adapters(encoder, peft_config or LoraOptions())
        table = TextTable(encoder, _texts(dataset), cache or VectorCache())
        loss = loss or LossOptions(contrastive_weight=contrastive_weight)
        super().__init__(embed_dim, dataset, table, options or TowerOptions(), loss)
        self.fields = dataset.items.fields
        self.freeze_gpt2 = freeze_gpt2
        self.settings = {
            "embed_dim": embed_dim,
            "metadata_dim": metadata_dim,
            "freeze_gpt2": freeze_gpt2,
            "use_attention": use_attention,
            "heads": heads,
        }

        def fusion(metadata: Metadata) -> Any:
            sizes = (
                encoder.width,
                metadata_dim or embed_dim,
                len(metadata.fields),
                embed_dim,
            )
            if use_attention:
                return FieldAttention(*sizes, heads=heads)
            return GatedConcatenation(*sizes)

        self.item_fusion = fusion(dataset.items)
        if dataset.users is not None:
            self.user_fusion = fusion(dataset.users)
        table.enter("cached" if use_cache or freeze_gpt2 else "dynamic")

    def set_phase(self, phase: Phase, optimizer: Any = None, encoder_lr: float = 1e-5) -> None:
        """Switch cache, freezing, parameter groups and optimiser state; see LearningTowers.

        Raises:
            UsageError: the phase is "dynamic" and the GPT-2 was to stay frozen.
        """
        if phase == "dynamic" and self.freeze_gpt2:
            raise UsageError(
                "The GPT-2 of this recommender stays frozen.", "Make it with freeze_gpt2=False."
            )
        super().set_phase(phase, optimizer, encoder_lr)


def _texts(data: RecommenderData) -> tuple[str, ...]:
    return data.items.texts + (() if data.users is None else data.users.texts)


def _require_sizes(n_users: int, n_items: int, data: RecommenderData) -> None:
    if (n_users, n_items) != (len(data.histories), len(data.items)):
        raise UsageError(
            f"The data set has {len(data.histories)} users and {len(data.items)} items, not "
            f"{n_users} and {n_items}.",
            "Give the numbers of the data set.",
        )
