"""A re-ranker of a shop's catalog as a folder: a real network with random weights, untrained."""

from pathlib import Path

import torch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.history import stream_histories
from gpt4rec_es.db.rows.items import load_ids
from gpt4rec_es.db.rows.metadata import load_item_fields
from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.reranking.checkpoint import save_recommender
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.reading import Serving, learn_reading
from gpt4rec_es.reranking.recommenders import GPT2RecommenderEnhanced
from gpt4rec_es.reranking.tower_options import TowerOptions


def save_reranker(engine: Engine, folder: Path, gpt2: Path) -> Path:
    """Write a re-ranker of the catalog and histories of now."""
    with transaction(engine) as connection:
        fields, ids = load_item_fields(connection), load_ids(connection)
        bought = [[one[0] for one in history] for _, _, history in stream_histories(connection)]
    places = {one.item_no: place for place, one in enumerate(fields)}
    reading = learn_reading(fields, [])
    histories = [[places[item] for item in items] for items in bought]
    data = RecommenderData(reading.items(fields), histories)
    torch.manual_seed(0)
    model = GPT2RecommenderEnhanced(
        len(histories),
        len(fields),
        16,
        data,
        encoder=open_encoder(gpt2),
        freeze_gpt2=True,
        options=TowerOptions("history"),
    )
    serving = Serving(tuple(ids[one.item_no] for one in fields), reading)
    save_recommender(model, folder, {"gpt2": {"path": str(gpt2)}}, serving)
    return folder
