"""All checks of the doctor, in the order in which an operator would fix their problems."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.doctor import cluster, database, machine, settings
from gpt4rec_es.doctor import machine as generator
from gpt4rec_es.doctor.findings import Check, Finding, run_check
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


def examine(environment: Environment, *, progress: Progress = no_progress) -> list[Finding]:
    """Return all findings; the checks are independent. ``progress`` counts checks."""
    checks = _checks(environment)
    findings: list[Finding] = []
    for done, (name, check) in enumerate(checks.items(), start=1):
        findings += run_check(name, check)
        progress(done, len(checks))
    return findings


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
        "device": lambda: generator.device(chosen, environment.describe_device),
        "settings": lambda: settings.check_values(chosen),
        "settings and data": lambda: settings.check_data_fit(chosen, engine()),
        "shards": lambda: settings.shards(engine()),
    }
