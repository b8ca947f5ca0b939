"""Nights whose recipe has the best items of a re-ranker as a source."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from gpt4rec_es.cli.why_reasons import reason_of
from gpt4rec_es.db.rows import runs
from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.replay.changes import ReplayChanges
from gpt4rec_es.lab.replay.replay import replay
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.item_vectors import load_run_items
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.night.inspect.why_fields import explain_fields
from gpt4rec_es.night.inspect.why_item import explain_item
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import NamedRecipe, Recipe, with_sequence, without_reranker
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.ranking.vectors import Fixed, with_last
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop, use_recipe
from tests.vector_maker import TitleVectors, register

PLAIN = Recipe(
    fusion=Fusion(
        (("history_titles", 1.0), ("co_purchase", 1.0)),
        method="learned",
        coefficients=(("title_recent", 0.1), ("co_recent", 0.1)),
        candidates=5,
    )
)
RECIPE = with_sequence(
    replace(
        PLAIN,
        fusion=replace(
            PLAIN.fusion,
            coefficients=(*PLAIN.fusion.coefficients, ("seq_share", 1.0), ("seq_rank", 1.0)),
        ),
        reranker="titles",
    ),
    "titles",
)
COLD, GONE = ("i003", "i004"), "i005"


class KnowsSome(TitleVectors):
    """A re-ranker whose training had all items but two; each title has its own direction."""

    def has_vectors(self, item_ids: Sequence[str]) -> list[bool]:
        return [one not in COLD for one in item_ids]

    def item_vectors(self, item_ids: Sequence[str], rows: Sequence[ItemFields]) -> Fixed:
        angles = np.array([hash128(row.title or "")[0] for row in rows]) * np.pi / 128
        return with_last(2 * np.stack([np.cos(angles), np.sin(angles)], axis=1), 0)


@pytest.fixture
def parts(servers: Servers, database: Database, alias: str) -> NightParts:
    """A night that was published; one user has only items that the re-ranker does not know."""
    use_titles(database)
    shop: Shop = make_shop(servers, database, alias)
    with database.engine.begin() as connection:
        register(connection, gpt2=None)
        use_recipe(connection, "sequence", RECIPE)
        connection.execute(
            text("UPDATE items SET is_active = false WHERE item_id = :i"), {"i": GONE}
        )
        connection.execute(
            text(
                "DELETE FROM interactions WHERE user_no = 7 AND item_no NOT IN "
                "(SELECT item_no FROM items WHERE item_id = ANY(:cold))"
            ),
            {"cold": list(COLD)},
        )
        connection.execute(
            text(
                "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
                "SELECT 7, item_no, 900 + item_no, 900 + item_no, 1 FROM items "
                "WHERE item_id = ANY(:cold) ON CONFLICT DO NOTHING"
            ),
            {"cold": list(COLD)},
        )
    runtime = shop.runtime()
    made = replace(runtime.night_parts(), open_reranker=lambda _: KnowsSome())
    assert run_night(made, runtime.night_options(), dt.date(2026, 11, 22)).state == "published"
    return made


def listed(parts: NightParts) -> list[Any]:
    with parts.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT r.*, i.item_id, f.item_id AS from_item_id, "
                "u.newest_item_nos[1] AS newest FROM recommendations AS r "
                "JOIN items AS i USING (item_no) JOIN run_users AS u USING (run_no, user_no) "
                "LEFT JOIN items AS f ON f.item_no = r.from_item_no ORDER BY user_no, rank"
            )
        )
        return list(found)


def test_rows_of_the_source_and_users_that_it_does_not_know(parts: NightParts) -> None:
    rows = [row for row in listed(parts) if row.source == "sequence"]
    assert len(rows) > 39
    assert all(1 <= row.hit_rank <= 5 and row.score is not None for row in rows)
    assert {row.query_no for row in rows} == {None}
    # Of a user whose newest item it does not know, a purchase before that.
    assert any(row.from_item_no == row.newest for row in rows)
    assert not {row.from_item_id for row in rows} & {*COLD, None}
    assert not {row.item_id for row in rows} & {*COLD, GONE}
    assert all(row.rerank_score is not None for row in rows)
    # A user without a known item gets a list without it.
    own = [row for row in listed(parts) if row.user_no == 7]
    assert own
    assert {row.source for row in own} <= {"co_purchase", "history_titles", "last_title", "popular"}
    assert {row.rerank_score for row in own} == {None}
    with parts.engine.connect() as connection:
        gate = connection.execute(
            text("SELECT passed, measured FROM gate_results WHERE gate = 're_ranker_took_part'")
        ).one()
        items = load_run_items(connection, runs.load(connection, 1))
    assert gate.passed
    assert gate.measured.startswith("0 of 38 users with purchases that it knows have no vector; ")
    assert len(items.item_nos) == 60 - len(COLD)
    assert (~items.is_findable).sum() == 1


def test_replays_and_explanations_repeat_it_after_the_catalog_changed(parts: NightParts) -> None:
    rows = [row for row in listed(parts) if row.source == "sequence"]
    with parts.engine.begin() as connection:
        connection.execute(text("UPDATE items SET is_active = false, version = 2"))
        connection.execute(text("UPDATE catalog_state SET catalog_version = 2"))
    assert replay(parts, "latest", ReplayChanges()).is_equal
    plain = replay(
        parts, "latest", ReplayChanges(recipe=NamedRecipe("plain", without_reranker(RECIPE)))
    )
    assert not plain.is_equal
    user = f"u{rows[0].user_no:03d}"
    found = explain_user(parts.engine, user).as_dict()
    assert found["equals_merge_now"]
    row = next(one for one in found["recommendations"] if one["source"] == "sequence")
    assert row["contributions"]["sequence"] > 0
    said, title = reason_of({**row, "is_active": True}), row["from_item"]["title"]
    at = row["hit_rank"]
    assert said == f"bought after this sequence, which ends with “{title}”: place {at}"
    unknown = {**row, "is_active": True, "from_item": None}
    assert reason_of(unknown) == f"bought after this sequence: place {at}"
    item = explain_item(parts.engine, user, row["item_id"]).as_dict()
    (place,) = [one for one in item["found"] if one["source"] == "sequence"]
    assert (place["hit_rank"], place["used_hits"]) == (row["hit_rank"], 5)
    assert place["score"] == pytest.approx(row["score"], rel=1e-5)
    # Any item has a place, beyond the candidates, too; one that it does not know has none.
    with parts.engine.connect() as connection:
        ids = connection.execute(text("SELECT item_id FROM items")).scalars().all()
    places = {}
    for one in sorted(ids):
        of_item = explain_item(parts.engine, user, one).as_dict()["found"]
        places[one] = [place["hit_rank"] for place in of_item if place["source"] == "sequence"]
    ranks = sorted(rank for own in places.values() for rank in own)
    assert ranks == list(range(1, len(ranks) + 1))
    assert len(ranks) > 40
    assert not any(places[one] for one in (*COLD, GONE))
    with pytest.raises(UsageError, match="reads no metadata"):
        explain_fields(parts.engine, lambda _: pytest.fail("opened"), user)


def test_the_source_needs_a_learned_fusion_and_a_re_ranker() -> None:
    with pytest.raises(UsageError, match="needs a learned fusion"):
        Fusion((("sequence", 1.0),))
    with pytest.raises(UsageError, match="but names none"):
        replace(RECIPE, reranker=None)
    assert with_sequence(RECIPE, "titles") == RECIPE
    assert without_reranker(RECIPE).reranker is None
