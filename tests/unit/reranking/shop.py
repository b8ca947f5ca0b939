"""A shop of 26 items with fields, some missing, and users that mostly buy one style."""

from typing import Any

import torch

from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.training.next_items import NextItems
from gpt4rec_es.reranking.learning import Batch
from gpt4rec_es.reranking.metadata import RecommenderData, collect_metadata
from gpt4rec_es.reranking.recommenders import GPT2RecommenderEnhanced
from gpt4rec_es.reranking.tower_options import TowerOptions, UserMode
from tests.trained import TITLES, shop_histories

FIELDS = ("title", "style", "price")
COLD = len(TITLES)  # an item that nobody bought, with the title of item 0


def item_rows() -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = [
        {
            "title": title,
            "style": title.split()[0] if " " in title else None,
            "price": None if place % 5 == 0 else f"{place % 3} pounds",
        }
        for place, title in enumerate(TITLES)
    ]
    return [*rows, {"title": TITLES[0]}]


def shop_data(users: int = 40, *, with_users: bool = False) -> RecommenderData:
    histories = [
        deduplicate_keep_last([TITLES.index(title) for title in titles])
        for titles in shop_histories(users)
    ]
    rows = [{"age": f"{20 + 10 * (n % 4)}", "gender": "FM"[n % 2]} for n in range(users)]
    return RecommenderData(
        collect_metadata(item_rows(), FIELDS),
        histories,
        collect_metadata(rows) if with_users else None,
    )


def make(data: RecommenderData, encoder: Any, **settings: Any) -> GPT2RecommenderEnhanced:
    torch.manual_seed(0)
    mode: UserMode = settings.pop("user_mode", "both")
    dropout, blocks = settings.pop("id_dropout", 0.0), settings.pop("blocks", 0)
    options = TowerOptions(mode, history_length=5, id_dropout=dropout, blocks=blocks)
    return GPT2RecommenderEnhanced(
        len(data.histories), len(data.items), 16, data, encoder=encoder, options=options, **settings
    )


def first_batch(
    data: RecommenderData, user_mode: UserMode = "both", size: int = 32, blocks: int = 0
) -> Batch:
    options = TowerOptions(user_mode, history_length=5, blocks=blocks)
    return next(NextItems(data, options, batch_size=size, samples=16).batches(0))
