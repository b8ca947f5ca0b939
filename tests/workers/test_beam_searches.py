"""Both beam searches store equal nights, on real purchases with a trained model."""

import csv
import datetime as dt
import gzip
from dataclasses import replace
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from gpt4rec_es.catalog.import_interactions import import_interactions
from gpt4rec_es.catalog.import_items import import_items
from gpt4rec_es.night.inprocess import run_night
from tests.databases import Database
from tests.flow.conftest import use_generator
from tests.shop import Shop, stored_rows

SAMPLE = Path(__file__).parents[2] / "data" / "online-retail-ii-sample"
DAY = dt.date(2026, 11, 22)
USERS = 60


def purchases(folder: Path) -> Path:
    """Return a file with the sample's first users: the slow beam search takes minutes for all."""
    path = folder / "interactions.csv"
    with (
        gzip.open(SAMPLE / "interactions.csv.gz", "rt", encoding="utf-8", newline="") as source,
        path.open("w", encoding="utf-8", newline="") as target,
    ):
        rows = csv.DictReader(source)
        writer = csv.DictWriter(target, rows.fieldnames or ())
        writer.writeheader()
        for _, of_user in islice(groupby(rows, itemgetter("user_id")), USERS):
            writer.writerows(of_user)
    return path


def test_either_engine_stores_the_same_queries_and_lists(
    shops: tuple[Shop, Shop],
    database: Database,
    second_database: Database,
    trained_folder: Path,
    tmp_path: Path,
) -> None:
    path = purchases(tmp_path)
    for shop, at, beam_search in zip(
        shops, (database, second_database), ("shared", "reference"), strict=True
    ):
        use_generator(at, "gpt2", trained_folder)
        # The default decoding settings, not the small shop's; two batch sizes.
        runtime = shop.runtime(
            num_queries=10,
            num_beams=20,
            max_new_tokens=24,
            generate_shard_size=40,
            gate_limits="top_item=1",
        )
        options = replace(runtime.settings.generator, beam_search=beam_search)
        runtime.settings = runtime.settings.model_copy(update={"generator": options})
        import_items(runtime.engine, [SAMPLE / "items.csv.gz"], actor="test")
        import_interactions(runtime.engine, [path], actor="test")
        report = run_night(runtime.night_parts(), runtime.night_options(), DAY)
        assert report.users > USERS
    with database.engine.connect() as one, second_database.engine.connect() as other:
        queries, scores = stored_queries(one)
        others, other_scores = stored_queries(other)
        assert queries == others
        assert scores == pytest.approx(other_scores, rel=1e-4)
        assert stored_rows(one, 1) == stored_rows(other, 1)


def stored_queries(connection: Connection) -> tuple[list[tuple[str, int, str, int]], list[float]]:
    found = connection.execute(
        text("""
        SELECT p.text, q.rank, t.text, q.n_tokens, q.sum_logprob
        FROM generated_queries AS q JOIN generations USING (generation_no)
        JOIN prompts AS p USING (prompt_no) JOIN queries AS t USING (query_no) ORDER BY 1, 2
        """)
    ).all()
    assert found
    return [tuple(row[:4]) for row in found], [row.sum_logprob for row in found]
