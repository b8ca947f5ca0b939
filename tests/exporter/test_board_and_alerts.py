"""Grafana board and alerts use only exported metrics, and every alert has a documented remedy."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from gpt4rec_es.night.inprocess import run_night
from tests.databases import Database
from tests.exporter.conftest import Page, scrape
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import make_shop

ROOT = Path(__file__).parents[2]
BOARD = json.loads((ROOT / "deploy/grafana/dashboards/gpt4rec.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
# Metrics that Prometheus itself adds for its targets.
OF_PROMETHEUS = {"up"}


@pytest.fixture(scope="module")
def shown(servers: Servers, module_database: Database, module_alias: str) -> Page:
    """A metrics page after a night and an import, so that all metrics are present."""
    use_titles(module_database)
    runtime = make_shop(servers, module_database, module_alias).runtime()
    run_night(runtime.night_parts(), runtime.night_options(), dt.date(2026, 11, 22))
    with module_database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO imports (kind, files, state, actor, finished_at) "
                "VALUES ('items', '{x}', 'done', 'test', now())"
            )
        )
        connection.execute(
            text("""
            INSERT INTO quality_days (run_no, age_days, measured_on, history_version, is_complete,
                                      n_users, n_bought)
            VALUES (1, 1, '2026-11-23', 2, true, 4, 4);
            INSERT INTO quality_methods (run_no, age_days, measured_on, method, n_users,
                                         n_hit_users, n_hits, recall)
            SELECT 1, 1, '2026-11-23', method, 4, 1, 1, 0.25
            FROM unnest(ARRAY['published', 'popularity', 'newest_title']) AS m(method)
            """)
        )
    page = scrape(runtime)
    runtime.close()
    return page


def expressions() -> list[str]:
    asked = [target["expr"] for panel in PANELS for target in panel["targets"]]
    noted = [note["expr"] for note in BOARD["annotations"]["list"]]
    return [*asked, *noted, *(rule["expr"] for rule in RULES)]


def test_expressions_use_only_exported_metrics(shown: Page) -> None:
    for expression in expressions():
        asked = set(re.findall(r"\b(?:gpt4rec_\w+|up)\b", expression))
        assert asked
        assert asked <= shown.names | OF_PROMETHEUS, expression


def test_labels_and_their_values_are_those_of_the_metric(shown: Page) -> None:
    for expression in expressions():
        for name, matcher in re.findall(r"(\w+)\{(.*?)\}", expression):
            if name in OF_PROMETHEUS:
                continue
            found = re.fullmatch(r'(\w+)!?="(\w+)"', matcher)
            assert found, expression
            family = shown.families[name.removesuffix("_total")]
            assert found[2] in {sample.labels[found[1]] for sample in family.samples}, expression


def test_legends_name_labels_that_are_there(shown: Page) -> None:
    labels = {label for f in shown.families.values() for s in f.samples for label in s.labels}
    for panel in PANELS:
        for target in panel["targets"]:
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels


def test_the_board_is_valid_for_grafana() -> None:
    assert BOARD["uid"] == "gpt4rec"
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in PANELS:
        assert panel["description"].endswith(".")
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    (variable,) = BOARD["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")


def test_every_alert_has_a_remedy_and_every_remedy_an_alert() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    answers: dict[str, Any] = dict(re.findall(r"^### (Gpt4rec\w+)\n(.+)$", page, re.MULTILINE))
    names = [rule["alert"] for rule in RULES]
    assert sorted(answers) == sorted(names)
    assert len(set(names)) == len(names)


def test_every_alert_has_severity_and_description(shown: Page) -> None:
    labels = {label for f in shown.families.values() for s in f.samples for label in s.labels}
    for rule in RULES:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        summary = rule["annotations"]["summary"]
        assert set(re.findall(r"\$labels\.(\w+)", summary)) <= labels | {"instance"}
        assert len(summary) <= 100


def test_commands_in_remedies_of_alerts_exist() -> None:
    from gpt4rec_es.cli.main import COMMANDS  # noqa: PLC0415 - for this test alone

    page = (ROOT / "docs/operations.md").read_text()
    called = set(re.findall(r"`gpt4rec (?!-)([a-z]+)", page))
    assert called <= set(COMMANDS)


def test_provisioning_finds_the_board() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((folder / "dashboards/gpt4rec.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert config["rule_files"] == ["alerts.yml"]
