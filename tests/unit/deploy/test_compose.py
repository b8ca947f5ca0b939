"""Checks of compose.yaml that otherwise need Docker."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Command

from gpt4rec_es.cli.main import cli
from gpt4rec_es.settings import VARIABLES
from gpt4rec_es.stack import distribution, programs

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = {name: service for name, service in SERVICES.items() if "build" in service}
# Services that run once, or have no endpoint to check.
WITHOUT_HEALTH = {"migrate", "beat"}


def tag(service: str) -> str:
    return str(SERVICES[service]["image"]).rpartition(":")[2]


def test_everything_is_there() -> None:
    servers = {"postgres", "elasticsearch", "broker"}
    ours = {"migrate", "generation", "retrieval", "beat", "exporter"}
    assert set(SERVICES) == servers | ours | {"prometheus", "grafana"}
    assert set(OWN) == ours


def test_elasticsearch_is_the_stacks() -> None:
    assert tag("elasticsearch") == distribution.VERSION


@pytest.mark.parametrize(
    ("service", "program"),
    [
        ("postgres", programs.find_postgres("wheel") / "postgres"),
        ("broker", programs.find_broker("wheel")),
    ],
)
def test_the_others_are_of_the_stacks_major_version(service: str, program: Path) -> None:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(?:\) |v=)(\d+)\.", said)
    assert found
    assert tag(service) == found[1]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_says_when_it_is_well_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert (name in WITHOUT_HEALTH) == ("healthcheck" not in service)
    assert service.get("restart") == (None if name == "migrate" else "unless-stopped")
    assert service["logging"]["options"]["max-size"]
    assert re.search(r":v?\d+", service["image"]) or "build" in service


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_waits_for_what_there_is(name: str) -> None:
    for other, about in SERVICES[name].get("depends_on", {}).items():
        if about["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        if about["condition"] == "service_completed_successfully":
            assert other == "migrate"
    for volume in SERVICES[name].get("volumes", ()):
        source = volume.partition(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]


def test_nothing_is_open_to_the_network() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_password_is_written_down_and_none_may_be_forgotten() -> None:
    text = (ROOT / "compose.yaml").read_text()
    asked = re.findall(r"\$\{(\w+_PASSWORD)(.*?)\}", text)
    assert asked
    assert all(rest == ":?set it" for _, rest in asked)
    # An unused monitoring profile must not require a value.
    for name in ("prometheus", "grafana"):
        assert SERVICES[name]["profiles"] == ["watch"]
        assert "PASSWORD" not in str(SERVICES[name])


def test_settings_are_ones_that_the_program_knows() -> None:
    known = set(VARIABLES)
    for service in OWN.values():
        assert set(service["environment"]) <= known


def test_commands_are_ones_that_the_program_has() -> None:
    for service in OWN.values():
        program, *words = service["command"]
        if program == "celery":
            assert words[:3] in (["-A", "workers", "worker"], ["-A", "workers", "beat"])
            continue
        command: Command = cli
        while words and not words[0].startswith("-"):
            found = command.get_command(None, words.pop(0))  # type: ignore[attr-defined]
            assert found is not None
            command = found
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options


def test_roles_of_the_first_start_are_those_of_the_migrations() -> None:
    script = (ROOT / "deploy/compose-roles.sh").read_text()
    subprocess.run(["/bin/sh", "-n"], input=script, text=True, check=True)
    assert set(re.findall(r"CREATE ROLE (gpt4rec_\w+) LOGIN", script)) == {
        "gpt4rec_owner",
        "gpt4rec_writer",
        "gpt4rec_analyst",
    }
    defaults = (ROOT / "migrations/schema/analyst.sql").read_text().replace("''", "'")
    made = re.findall(r"^ALTER ROLE gpt4rec_analyst SET (.*);$", script, re.MULTILINE)
    (array,) = re.findall(r"ARRAY\[(.*?)\] LOOP", defaults, re.DOTALL)
    assert [f"'{setting}'" for setting in made] == re.split(r",\s+", array.strip())
    asked = set(re.findall(r"\$(\w+_PASSWORD)", script))
    assert asked <= set(SERVICES["postgres"]["environment"])


def test_the_image_holds_what_the_services_use() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for volume in OWN["generation"]["volumes"]:
        target = volume.split(":")[1]
        assert volume.endswith(":ro") or f"--owner gpt4rec {target}" in text
    assert "USER gpt4rec" in text
