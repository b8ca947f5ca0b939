"""What the reader of histories learns: every title of a history, among all or sampled ones."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from gpt4rec_es.encoders.history_reader import HistoryReader, divide_scores, padded_tokens
from gpt4rec_es.encoders.reader_shape import ReaderShape
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.training import history_reading
from gpt4rec_es.lab.training.dataset import collect_histories
from gpt4rec_es.lab.training.history_reading import (
    NumberedTitles,
    ReaderLearner,
    all_vectors,
    fitted_temperature,
    known_scores,
    number_titles,
    reader_nats,
)

HISTORIES = [["a", "b", "c", "d", "e"], ["b", "d"], ["e", "a", "c"]]


def learner() -> tuple[ReaderLearner, NumberedTitles]:
    torch.manual_seed(1)
    reader = HistoryReader(ReaderShape(titles=5, dim=4, length=3), 10, 4, 0.0)
    tokens = padded_tokens([[1], [2], [3, 4], [5], [6]])
    data = number_titles(collect_histories(HISTORIES), collect_histories([]), tokens)
    return ReaderLearner(reader, data, 1e-2, 2, 1), data


def test_titles_of_histories_longer_than_what_is_read_are_learned_too() -> None:
    reader, data = learner()
    learned = set()
    for seed in range(5):
        for rows, _ in reader.batches(seed):
            assert all(len(row) <= 4 for row in rows)
            learned |= {pair for row in rows for pair in pairwise(row)}
    assert learned == {pair for own in data.histories for pair in pairwise(own)}


def test_batches_of_long_histories_have_fewer_rows() -> None:
    torch.manual_seed(1)
    reader = HistoryReader(ReaderShape(titles=5, dim=4, length=40), 10, 4, 0.0)
    tokens = padded_tokens([[1], [2], [3, 4], [5], [6]])
    for length, expected in ((4, 64), (8, 64), (32, 16)):
        own = [[number % 5 for number in range(length)]] * 200
        data = NumberedTitles(tokens, own, [], [])
        found = ReaderLearner(reader, data, 1e-2, 64, 1)
        sizes = [len(rows) for rows, _ in found.batches(0)]
        assert max(sizes) == expected
        assert found.steps == len(sizes)


def test_of_few_titles_the_loss_is_that_of_all() -> None:
    reader, data = learner()
    rows, negatives = next(iter(reader.batches(0)))
    assert not len(negatives)
    expected = []
    vectors = all_vectors(reader.network, data)
    reader.network.requires_grad_(False)
    for row in rows:
        for place in range(len(row)):
            state = reader.network.last_states(vectors, [row[:place]])[0]
            target = torch.tensor(row[place])
            expected.append(float(functional.cross_entropy(vectors @ state, target)))
    loss = reader.losses((rows, negatives)).parts["loss"]
    assert loss == pytest.approx(sum(expected) / len(expected), abs=1e-5)


def test_of_many_titles_some_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_reading, "_FEW_TITLES", 4)
    reader, _ = learner()
    _, negatives = next(iter(reader.batches(0)))
    assert len(negatives) == 256


def test_divided_scores_are_those_of_a_fitted_reader_and_the_decoder_reads_as_before() -> None:
    reader, data = learner()
    network = reader.network
    with torch.no_grad():
        network.norm.weight.fill_(3)
    data = replace(data, read=[[0, 1], [1], [4], [2], [3]])
    best = known_scores(network, data).sort(dim=1, descending=True).indices
    data = replace(data, targets=[*best[:4, 0].tolist(), *best[4:, 1].tolist()])
    before = network.prefixes(network.last_states(all_vectors(network, data), data.read))
    temperature = fitted_temperature(network, data)
    assert 1 < temperature < 3
    nats = reader_nats(network, data, padded_tokens([]))
    divide_scores(network, temperature)
    after = network.prefixes(network.last_states(all_vectors(network, data), data.read))
    torch.testing.assert_close(after, before)
    assert fitted_temperature(network, data) == 1
    divided = reader_nats(network, data, padded_tokens([]))
    assert nats is not None
    assert divided is not None
    assert divided < nats


def test_titles_that_nobody_bought_are_likely_to_be_chosen_too() -> None:
    reader, data = learner()
    data = replace(data, read=[[0, 1]], targets=[2])
    alone = reader_nats(reader.network, data, padded_tokens([]))
    among = reader_nats(reader.network, data, padded_tokens([[7, 8], [9]]))
    assert alone is not None
    assert among is not None
    assert among > alone


def test_a_reader_that_diverged_in_its_last_steps_is_refused() -> None:
    reader, data = learner()
    with torch.no_grad():
        reader.network.norm.weight.fill_(1e38)  # a finite weight, but its products are not
        reader.network.items.weight.fill_(1e3)
    with pytest.raises(UsageError, match="reader diverged"):
        reader_nats(reader.network, replace(data, read=[[0]], targets=[1]), padded_tokens([]))
