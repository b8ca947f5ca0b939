"""systemd units: existing commands, restarts, and minimal rights."""

import re
import shlex
from pathlib import Path

import pytest

from gpt4rec_es.cli.main import COMMANDS

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy/systemd"
Unit = dict[str, dict[str, list[str]]]
HARDENING = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "SystemCallArchitectures": "native",
    "User": "gpt4rec",
    "EnvironmentFile": "/etc/gpt4rec/env",
}


def read(path: Path) -> Unit:
    """Return section -> key -> values, as systemd reads a unit."""
    unit: Unit = {}
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = unit.setdefault(found[1], {})
            continue
        key, equals, value = line.partition("=")
        assert equals, line
        section.setdefault(key, []).append(value)
    return unit


UNITS = {path.name: read(path) for path in FOLDER.iterdir()}
SERVICES = {name: unit for name, unit in UNITS.items() if name.endswith(".service")}


def test_everything_is_there() -> None:
    assert set(UNITS) == {
        "gpt4rec-worker@.service",
        "gpt4rec-beat.service",
        "gpt4rec-ensure.service",
        "gpt4rec-ensure.timer",
        "gpt4rec-exporter.service",
    }


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_few_rights(name: str) -> None:
    service = SERVICES[name]["Service"]
    assert {key: service[key] for key in HARDENING} == {k: [v] for k, v in HARDENING.items()}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_runs_a_command_that_exists(name: str) -> None:
    (line,) = SERVICES[name]["Service"]["ExecStart"]
    program, *words = shlex.split(line)
    assert program.startswith("/opt/gpt4rec/.venv/bin/")
    if program.endswith("/celery"):
        assert words[:2] == ["-A", "workers"]
    else:
        assert program.endswith("/gpt4rec")
        assert words[0] in COMMANDS


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_comes_back_unless_a_timer_starts_it(name: str) -> None:
    service = SERVICES[name]["Service"]
    if f"{name.removesuffix('.service')}.timer" in UNITS:
        assert service["Type"] == ["oneshot"]
        assert "Install" not in SERVICES[name]
    else:
        assert service["Restart"] == ["always"]
        assert SERVICES[name]["Install"] == {"WantedBy": ["multi-user.target"]}


def test_the_timer_rings_for_ever() -> None:
    timer = UNITS["gpt4rec-ensure.timer"]["Timer"]
    assert {"OnBootSec", "OnUnitInactiveSec"} <= set(timer)
    assert UNITS["gpt4rec-ensure.timer"]["Install"] == {"WantedBy": ["timers.target"]}


def test_operations_names_every_unit() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    assert all(name in page for name in UNITS)
