"""Queries for a split's evaluation users: made once under the keys that nights use, kept."""

import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.db.engine import make_engine, transaction
from gpt4rec_es.db.locks import TEXTS, transaction_lock
from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.options import TrainingOptions
from gpt4rec_es.generation.registry import add_generator, list_generators
from gpt4rec_es.generation.title_generator import TitlesGenerator
from gpt4rec_es.lab.splits import queries as module
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.held_out import HeldOut
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.lab.splits.queries import EvalUserQueries, split_queries
from gpt4rec_es.lab.splits.split import Split
from gpt4rec_es.lab.splits.stored import drop_split, load_split
from gpt4rec_es.lab.training.split_data import SplitPart, require_unseen
from gpt4rec_es.lab.training.train_generator import plan_training, train_generator
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.records import Decoding, Generation
from tests.databases import Database
from tests.shop import Shop

DECODING = Decoding(num_queries=2, num_beams=2)
TINY = TrainingOptions(
    vocab_size=400, epochs=1, pretrain_epochs=0, device="cpu", threads=1, max_steps=1
)


class Counting(TitlesGenerator):
    """A generator that counts prompts and interrupts after ``limit`` of them."""

    def __init__(self, limit: int = 10_000) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._limit = limit

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generation]:
        if len(self.asked) + len(prompts) > self._limit:
            raise KeyboardInterrupt
        self.asked += prompts
        return super().generate(prompts, decoding)


@pytest.fixture
def split(shop: Shop, database: Database) -> tuple[SplitRow, Split]:
    create_split(database.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    return load_split(database.engine, "loo")


def queries(
    database: Database, split: tuple[SplitRow, Split], generator: TitlesGenerator
) -> list[EvalUserQueries]:
    return split_queries(database.engine, generator, DECODING, split[0], split[1].test)


def count(database: Database, table: str) -> int:
    with database.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_queries_come_from_what_a_case_knows_and_are_made_once(
    database: Database, split: tuple[SplitRow, Split]
) -> None:
    generator = Counting()
    found = queries(database, split, generator)
    assert [eval_user.user_no for eval_user in found] == [
        eval_user.user_no for eval_user in split[1].test
    ]
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT item_no, title FROM items"))
        titles = {row.item_no: row.title for row in rows}
    for eval_user, user_queries in zip(split[1].test, found, strict=True):
        newest = [titles[item] for item in reversed(eval_user.history)][:2]
        assert [query.text for query in user_queries.queries] == newest
        assert [query.sum_logprob for query in user_queries.queries] == [-1.0, -2.0][: len(newest)]
    assert len(generator.asked) == len({eval_user.history for eval_user in split[1].test})

    again = Counting()
    assert queries(database, split, again) == found
    assert again.asked == []
    assert count(database, "runs") == 0
    other = Decoding(num_queries=1, num_beams=2)
    fewer = split_queries(database.engine, again, other, split[0], split[1].test)
    assert [eval_user.queries for eval_user in fewer] == [
        eval_user.queries[:1] for eval_user in found
    ]


def test_what_was_cut_off_goes_on(
    database: Database, split: tuple[SplitRow, Split], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PROMPTS", 5)
    broken = Counting(limit=10)
    with pytest.raises(KeyboardInterrupt):
        queries(database, split, broken)
    rest = Counting()
    found = queries(database, split, rest)
    assert len(broken.asked) == 10
    assert not set(broken.asked) & set(rest.asked)
    whole = [eval_user.queries for eval_user in found]
    assert whole
    assert all(whole)


def test_a_history_without_titles_has_no_queries(
    database: Database, split: tuple[SplitRow, Split]
) -> None:
    items = list(split[1].test[0].history)
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE items SET title = NULL WHERE item_no = ANY(:items)"), {"items": items}
        )
    assert queries(database, split, Counting())[0].queries == ()


def test_a_prune_leaves_them_alone_until_the_split_goes(
    shop: Shop, database: Database, split: tuple[SplitRow, Split]
) -> None:
    queries(database, split, Counting())
    made = count(database, "generations")
    parts = shop.runtime().night_parts()
    prune(parts)
    assert count(database, "generations") == made > 0
    drop_split(database.engine, "loo", actor="test")
    prune(parts)
    assert count(database, "generations") == count(database, "prompts") == 0


def test_training_on_a_split_is_noted_and_asked_for(
    database: Database, split: tuple[SplitRow, Split], tmp_path: Path
) -> None:
    row, content = split
    engine = database.engine
    part = SplitPart("loo")
    report = train_generator(
        engine, TINY, name="a", output=tmp_path / "a", actor="test", split=part
    )
    facts = report.card["data"]
    assert facts["purchases"] == sum(map(len, content.train.values()))
    assert (facts["split"], facts["split_hash"]) == ("loo", row.content_hash)
    assert report.card["validation_loss"] is not None
    assert "split: loo" in (tmp_path / "a" / "README.md").read_text()
    both = SplitPart("loo", with_validation=True)
    train_generator(engine, TINY, name="b", output=tmp_path / "b", actor="test", split=both)
    train_generator(engine, TINY, name="all", output=tmp_path / "all", actor="test")
    with transaction(engine) as connection:
        generators.register(
            connection, name="elsewhere", kind="gpt2", path="x", content_hash="x", card={}
        )
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    add_generator(engine, "copied", tmp_path / "c")
    known = {generator.name: generator for generator in list_generators(engine)}
    require_unseen(known["titles"], row, "test")
    require_unseen(known["a"], row, "validation")
    require_unseen(known["b"], row, "test")
    require_unseen(known["copied"], row, "test")
    with pytest.raises(UsageError, match="learned from the validation part"):
        require_unseen(known["b"], row, "validation")
    for name in ("all", "elsewhere"):
        with pytest.raises(UsageError, match="was not trained on the split 'loo'"):
            require_unseen(known[name], row, "test")


def test_a_split_and_lists_of_what_is_held_out_exclude_each_other(
    database: Database, split: tuple[SplitRow, Split], tmp_path: Path
) -> None:
    held = HeldOut(users=frozenset({"u001"}))
    folder = tmp_path / "x"
    with pytest.raises(UsageError, match="says itself what is held out"):
        plan_training(database.engine, TINY, "x", folder, held, 0.1, SplitPart("loo"))
    plan = plan_training(database.engine, TINY, "x", folder, None, 0.1, SplitPart("loo"))
    assert plan["data"]["split"] == "loo"
    with pytest.raises(UsageError, match="no split 'other'"):
        plan_training(database.engine, TINY, "x", folder, None, 0.1, SplitPart("other"))


def test_a_prune_in_the_way_is_waited_for(
    database: Database, split: tuple[SplitRow, Split]
) -> None:
    impatient = make_engine(database.writer_url, application_name="test", lock_timeout_s=0.1)
    row, parts = split
    with ThreadPoolExecutor(1) as pool:
        with database.engine.begin() as alone:
            transaction_lock(alone, TEXTS)
            made = pool.submit(
                split_queries, impatient, TitlesGenerator(), DECODING, row, parts.test
            )
            time.sleep(0.5)
        assert len(made.result(60)) == len(parts.test)
    impatient.dispose()
