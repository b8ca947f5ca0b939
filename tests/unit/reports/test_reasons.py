"""Every source of a recommendation has words and a reason."""

import pytest

from gpt4rec_es.reports.tables import SOURCES
from gpt4rec_es.reports.users import reason

ROW = {"query_rank": 2, "hit_rank": 3, "from_title": "red lamp", "promoted_by": None}


@pytest.mark.parametrize("source", SOURCES)
def test_sources_have_reasons(source: str) -> None:
    said = reason({**ROW, "source": source})
    assert said != source
    assert SOURCES[source].endswith(f"({source})")


def test_reasons() -> None:
    assert reason({**ROW, "source": "queries"}) == "hit 3 of query 2"
    assert reason({**ROW, "source": "co_purchase"}) == "bought by buyers of red lamp"
    moved = reason({**ROW, "source": "queries", "promoted_by": "rule 1"})
    assert moved == "hit 3 of query 2; moved up by rule 1"
    pinned = reason({**ROW, "source": "pinned", "promoted_by": "rule 1"})
    assert pinned == "put first by rule 1"
    assert reason({**ROW, "source": "a new one"}) == "a new one"
