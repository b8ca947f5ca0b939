"""The mark that nats per title are compared with, on a table that can be computed by hand."""

from math import log

import pytest

from gpt4rec_es.lab.training.dataset import TrainingData, collect_histories
from gpt4rec_es.lab.training.validation import nats_by_purchases


def data(validation: list[list[str]]) -> TrainingData:
    histories = collect_histories([["a", "b"], ["a", "c"], ["a"]])
    return TrainingData(["a", "b", "c", "d"], histories, collect_histories(validation), {})


def test_the_mark_is_that_of_a_table_of_purchases() -> None:
    # Of 5 purchases a has 3, b has 1, d has none; with one more for each of 4 titles there are 9.
    found = nats_by_purchases(data([["b", "a"], ["a", "c", "d"], ["c"]]))
    assert found == pytest.approx(-(log(4 / 9) + log(1 / 9)) / 2)


def test_without_a_last_title_there_is_no_mark() -> None:
    assert nats_by_purchases(data([["b"]])) is None
