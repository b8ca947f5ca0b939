"""The benchmarks run without errors at very small sizes."""

import gzip
from pathlib import Path
from random import Random

import pytest

from benchmarks import importing, nights, pages, searching, storing, suite, trainings, vectors
from benchmarks.gates import shops
from benchmarks.gates.__main__ import needless, run_clean, run_defects
from benchmarks.gates.changes import NOT_STARTED
from benchmarks.gates.defects import DEFECTS
from benchmarks.gates.invented import INVENTED
from benchmarks.place import Place, scratch
from benchmarks.table import at_least, at_most, machine, percent, times
from gpt4rec_es.index import create
from gpt4rec_es.night.publish.gates import GATES
from tests.servers import Servers
from tests.vectors import word_axes


@pytest.mark.parametrize(
    ("measure", "size", "lines"),
    [
        (storing.measure, 600, 8),
        (importing.measure, 300, 2),
        (searching.measure, 40, 4),
        (vectors.measure, 300, 16),
        (nights.measure, 210, 17),  # as many users as would have a canary
        (pages.measure, 1_000, 5),
        (trainings.measure, 60, 7),
    ],
)
def test_each_part_runs_and_cleans_up(
    measure: suite.Measure, size: int, lines: int, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPT4REC_TEST_DATABASE_ADMIN_URL", servers.admin_url)
    monkeypatch.setenv("GPT4REC_TEST_ELASTICSEARCH_URL", servers.elasticsearch_url)
    monkeypatch.setattr(create, "_LEASES_S", 0.0)  # half a minute for each graph
    with scratch() as place:
        found = measure(place, size)
        assert "Postgres" in machine(place)
    assert len(found) == lines
    assert all(line.markdown().count("|") == 5 for line in found)
    assert not _indices(place)


def test_encoders_are_measured_on_the_titles_of_a_data_set(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GPT4REC_TEST_DATABASE_ADMIN_URL", servers.admin_url)
    monkeypatch.setenv("GPT4REC_TEST_ELASTICSEARCH_URL", servers.elasticsearch_url)
    words = [f"w{number}" for number in range(30)]
    word_axes(tmp_path / "axes", words)
    lines = [f'{n},"w{n}  lamp, w{(7 * n) % 30}"' for n in range(30)]
    with gzip.open(tmp_path / "items.csv.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(["item_id,title", *lines, "30,", ""]))
    titles, texts = vectors.read_titles(tmp_path)
    assert set(titles) == set(texts) == {f"w{n} lamp, w{(7 * n) % 30}" for n in range(30)}
    halves, again = vectors.read_titles(tmp_path, 70)
    assert (len(halves), again) == (70, texts)
    assert all(len(title.split()) == 3 for title in halves)
    encoders = [("static", tmp_path / "axes")]
    with scratch() as place:
        found = list(vectors.measure_catalog(place, titles, texts, encoders))
    shown = {line.what: line.found for line in found}
    assert "30 titles encoded" in shown["static, flat: reindex"]
    assert shown["static, flat: of the exact 100 hits"] == "1.0000"
    assert len(found) == 8


def test_defects_are_refused_and_clean_nights_pass(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPT4REC_TEST_DATABASE_ADMIN_URL", servers.admin_url)
    monkeypatch.setenv("GPT4REC_TEST_ELASTICSEARCH_URL", servers.elasticsearch_url)
    some = [one for one in DEFECTS if one.name in {"clock a day ahead", "empty index"}]
    data = shops.styles(60, Random(1))
    outcomes = list(run_defects(some, 1, data, is_large=False))
    assert [one.is_caught for one in outcomes] == [True, True]
    without = {one.defect.name: one.without for one in outcomes}
    assert without == {"clock a day ahead": frozenset(), "empty index": None}, "it is switched off"
    assert {gate.name for gate in GATES} - {*needless(outcomes)} == {"clock_is_right"}
    margins = run_clean(lambda chance: shops.skewed(60, chance), nights=2, seed=1)
    assert (margins.nights, margins.refused) == (2, [])
    margins.show()


def test_at_least_forty_defects_name_gates_that_exist() -> None:
    known = {gate.name for gate in GATES} | {NOT_STARTED}
    assert len({one.name for one in DEFECTS}) == len(DEFECTS) >= 40
    assert {gate for one in DEFECTS for gate in one.gates} == known
    assert len(INVENTED) >= 10


def _indices(place: Place) -> list[str]:
    from gpt4rec_es.elastic.client import make_client  # noqa: PLC0415 - the place's own is closed

    client = make_client(place.elasticsearch_url)
    found = client.indices.get(index=f"{place.alias}-*", ignore_unavailable=True)
    client.close()
    return list(found.body)


def test_goals_are_compared_the_right_way_round() -> None:
    assert at_least("x", 5.0, 5.0, times).is_met
    assert not at_least("x", 4.9, 5.0, times).is_met
    assert at_most("x", 0.9, 0.9, percent).is_met
    assert "MISSED" in at_most("x", 0.95, 0.9, percent).markdown()
