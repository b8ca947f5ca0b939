"""All checks of the doctor, in the order in which an operator would fix their problems."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.doctor import cluster, database, machine, recipe, settings
from gpt4rec_es.doctor import machine as generator
from gpt4rec_es.doctor.findings import Check, Finding, run_check, warning
from gpt4rec_es.index.mapping import Analysis
from gpt4rec_es.protocols import Progress, QueryGenerator, no_progress
from gpt4rec_es.settings import Settings


@dataclass(frozen=True)
class Environment:
    """What is checked. All parts but the settings are opened by the check that uses them.

    engine refuses an older schema, any_schema_engine and owner_engine take any. describe_device:
    describes the device of a setting's value. ping_broker returns when the broker answers; None: no
    broker is set.
    """

    settings: Settings
    engine: Callable[[], Engine]
    any_schema_engine: Callable[[], Engine]
    owner_engine: Callable[[], Engine]
    analyst_engine: Callable[[], Engine] | None
    elastic: Callable[[], Elasticsearch]
    analysis: Callable[[], Analysis]
    open_generator: Callable[[Generator], QueryGenerator]
    describe_device: Callable[[str], str]
    ping_broker: Callable[[], None] | None


# The servers whose own check says whether another check can find anything.
_POSTGRES, _ELASTIC = "postgres", "elasticsearch"
_OF_POSTGRES = (
    *("schema", "writer", "clock", "postgres disk", "generator", "recipe"),
    *("settings and data", "shards"),
)
_NEEDS = {
    **dict.fromkeys(_OF_POSTGRES, (_POSTGRES,)),
    **dict.fromkeys(
        ("elasticsearch nodes", "elasticsearch disk", "elasticsearch rights"), (_ELASTIC,)
    ),
    **dict.fromkeys(("alias", "pinned builds"), (_POSTGRES, _ELASTIC)),
}


def examine(environment: Environment, *, progress: Progress = no_progress) -> list[Finding]:
    """Return all findings; ``progress`` counts checks.

    A check that needs a server that did not answer is left out: it would find the same again.
    """
    checks = _checks(environment)
    findings: list[Finding] = []
    left_out: dict[str, list[str]] = {}
    for done, (name, check) in enumerate(checks.items(), start=1):
        down = next((one for one in _needs(name, environment.settings) if one in left_out), None)
        if down is not None:
            left_out[down].append(name)
        else:
            found = run_check(name, check)
            findings += found
            if any(one.is_outage for one in found):
                left_out[name] = []
        progress(done, len(checks))
    for server, names in left_out.items():
        if names:
            what = f"not looked at while {server} does not answer: {', '.join(names)}"
            findings.append(replace(warning(what, "Run doctor again afterwards."), check=server))
    return findings


def _needs(name: str, chosen: Settings) -> tuple[str, ...]:
    """Return the servers that a check needs; roles have addresses of their own."""
    url = {"owner": chosen.owner_database_url, "analyst": chosen.analyst_database_url}.get(name)
    if url is None or chosen.database_url is None:
        return _NEEDS.get(name, ())
    places = [(parts.hostname, parts.port) for parts in map(urlsplit, (url, chosen.database_url))]
    return (_POSTGRES,) if places[0] == places[1] else ()


def _checks(environment: Environment) -> dict[str, Check]:
    chosen, engine, elastic = environment.settings, environment.engine, environment.elastic
    server = environment.any_schema_engine
    alias = chosen.index_alias
    return {
        "versions": machine.versions,
        "postgres": lambda: database.server(server()),
        "schema": lambda: database.schema(chosen.require("database_url")),
        "writer": lambda: database.writer(server()),
        "owner": lambda: database.owner(environment.owner_engine()),
        "analyst": partial(database.analyst, environment.analyst_engine),
        "clock": lambda: database.clock(server()),
        "postgres disk": lambda: database.disk(server()),
        "elasticsearch": lambda: cluster.server(elastic()),
        "elasticsearch nodes": lambda: cluster.nodes(elastic()),
        "elasticsearch disk": lambda: cluster.disk(elastic()),
        "elasticsearch rights": lambda: cluster.rights(elastic(), alias),
        "alias": lambda: cluster.alias(engine(), elastic(), alias, environment.analysis()),
        "pinned builds": lambda: cluster.pinned(engine(), elastic(), alias),
        "broker": partial(machine.broker, environment.ping_broker),
        "generator": lambda: generator.current(engine(), environment.open_generator),
        "recipe": lambda: recipe.live(engine(), chosen, environment.describe_device),
        "device": lambda: generator.device(chosen, environment.describe_device),
        "settings": lambda: settings.check_values(chosen),
        "settings and data": lambda: settings.check_data_fit(chosen, engine()),
        "shards": lambda: settings.shards(engine()),
    }
