"""The small shop with the model-free generator, and a way to read its metrics."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gpt4rec_es.exporter.collector import PostgresCollector, page
from gpt4rec_es.exporter.parts import all_parts
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop

Labels = tuple[tuple[str, str], ...]


class Page:
    """One scrape, read with Prometheus' own parser."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._values = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.families.values()
            for sample in family.samples
        }
        self.names = {name for name, _ in self._values}

    def __call__(self, name: str, **labels: str) -> float:
        return self._values[name, tuple(sorted(labels.items()))]

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return label value -> value of all samples other than 0."""
        return {
            dict(labels)[label]: value
            for (of, labels), value in self._values.items()
            if of == name and value
        }


def scrape(runtime: Runtime) -> Page:
    """Return the current metrics."""
    parts = all_parts(runtime.settings.index_alias)
    return Page(page(PostgresCollector(runtime.exporter_engine, parts)))


@pytest.fixture
def shop(servers: Servers, database: Database, alias: str) -> Shop:
    """A filled shop whose nights use newest titles as queries."""
    use_titles(database)
    return make_shop(servers, database, alias)
