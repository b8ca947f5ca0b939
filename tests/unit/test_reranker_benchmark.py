"""The comparison of re-rankers: what each user and item is measured on, and that rows run."""

import csv
import gzip
from pathlib import Path

import pytest
import torch

from benchmarks.reranker_cases import RARE, Cases, read_cases
from benchmarks.reranker_rows import ROWS
from benchmarks.reranker_table import print_tables
from benchmarks.rerankers import run_row
from benchmarks.word_vectors import WordEncoder
from gpt4rec_es.reranking.metadata import MISSING
from tests.encoders import save_tiny_gpt2
from tests.trained import TITLES, shop_histories

USERS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Feeds of a shop whose users mostly buy one style."""
    folder = tmp_path_factory.mktemp("feeds")
    items = [(f"i{n}", title, "", title.split()[0], "") for n, title in enumerate(TITLES)]
    write(folder / "items.csv.gz", ("item_id", "title", "brand", "category", "price"), items)
    events = [
        (f"u{user}", f"i{TITLES.index(title)}", place)
        for user, titles in enumerate(shop_histories(USERS))
        for place, title in enumerate(titles)
    ]
    write(folder / "interactions.csv.gz", ("user_id", "item_id", "ordinal"), events)
    return folder


def write(path: Path, names: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])


@pytest.fixture(scope="module")
def cases(folder: Path) -> Cases:
    return read_cases(folder, None, new_items=0.15, unseen=0.2)


def test_every_row_names_one_before_it() -> None:
    names = list(ROWS)
    for place, (name, row) in enumerate(ROWS.items()):
        assert row.against is None or row.against in names[:place], name


def test_new_items_and_unseen_users_are_in_no_training_data(cases: Cases) -> None:
    trained = {item for history in cases.data.histories for item in history}
    among_new, unseen = cases.cases["new items"], cases.cases["unseen users"]
    new = {item for own in among_new.targets for item in own}
    assert new
    assert not new & trained
    assert set(among_new.left_out).isdisjoint(new)
    assert set(unseen.users) == {MISSING}
    everyone = cases.cases["all"]
    assert len(everyone.users) + len(unseen.users) <= USERS
    assert set(everyone.left_out) >= new
    for user in everyone.users:
        assert everyone.histories[user] == [
            *cases.data.histories[user],
            *cases.validation.targets[user],
        ]
        assert everyone.targets[user][0] not in everyone.histories[user]
    rare = cases.cases["rare items"]
    assert all(cases.data.item_counts[own[0]] < RARE for own in rare.targets)


def test_words_are_read_alike_in_all_texts() -> None:
    encoder = WordEncoder(8)
    both, tea, pot, other, nothing = encoder.encode_text(
        ["title: Tea pot", "title: tea", "brand: POT", "title: clock", "title: ?"]
    )
    torch.testing.assert_close(both, (tea + pot) / 2)
    assert not torch.allclose(tea, other)
    assert not nothing.any()


def test_rows_are_measured_on_all_cases_and_compared(
    cases: Cases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gpt2 = save_tiny_gpt2(tmp_path / "gpt2")
    names = (
        "popularity",
        "fast",
        "no-finetune",
        "sequence-words",
        "words",
        "adapters",
        "whole-gpt2",
        "hybrid",
    )
    found = {name: run_row(cases, name, gpt2, {"most": (1,)}, tmp_path) for name in names}
    assert set(found["words"]["cases"]) == {
        name for name, case in cases.cases.items() if case.users
    }
    assert list(found["adapters"]["seconds"]) == ["dynamic"]
    assert set(found["hybrid"]["seconds"]) == {"cached", "dynamic"}
    n_users = len(cases.cases["all"].users)
    assert {len(one["cases"]["all"]["ndcg"]) for one in found.values()} == {n_users}
    print_tables(found)
    printed = capsys.readouterr().out
    assert "| `words` | `no-finetune`, but: a bag of words for each field |" in printed
    assert "compared with `fast`" in printed
    assert "unseen users (" in printed
