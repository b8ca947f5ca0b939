import pytest

from gpt4rec_es.retrieval.knn import knn_query


@pytest.mark.parametrize(
    ("nearest", "candidates"), [(1, 400), (100, 400), (120, 480), (2500, 10_000), (9000, 10_000)]
)
def test_candidates_of_a_graph_are_named(nearest: int, candidates: int) -> None:
    """Elasticsearch's own default loses more hits."""
    knn = knn_query([1.0], nearest)["knn"]
    assert (knn["k"], knn["num_candidates"]) == (nearest, candidates)
