import pytest

from gpt4rec_es.retrieval.knn import knn_query


@pytest.mark.parametrize(
    ("nearest", "candidates"), [(1, 1000), (100, 1000), (120, 1200), (1000, 10_000), (9000, 10_000)]
)
def test_candidates_of_a_graph_are_named(nearest: int, candidates: int) -> None:
    """Elasticsearch's own default loses more hits."""
    knn = knn_query([1.0], nearest)["knn"]
    assert (knn["k"], knn["num_candidates"]) == (nearest, candidates)
