"""The order in which weights of fields are tried, on values that are known."""

from gpt4rec_es.elastic.similarity import FieldBm25
from gpt4rec_es.lab.tuning.tune_fields import POINTS, WEIGHTS, choose_points, choose_weights
from gpt4rec_es.records import Bm25


def value(weights: tuple[tuple[str, float], ...]) -> float:
    """Return the most at brand .4 and category .1."""
    given = dict(weights)
    return -abs(given.get("brand", 0.0) - 0.4) - abs(given.get("category", 0.0) - 0.1)


def test_each_field_gets_its_best_weight() -> None:
    best, tried = choose_weights((), ("brand", "category"), value)
    assert best == (("brand", 0.4), ("category", 0.1))
    # The start, and the other weights of both fields; a second round measures nothing new but
    # those of the first field beside the weight of the second.
    assert tried == 1 + 3 * (len(WEIGHTS) - 1)


def test_fields_that_are_not_asked_for_and_weights_of_no_effect_stay() -> None:
    start = (("brand", 0.3), ("category", 0.7))
    assert choose_weights(start, ("category",), value)[0] == (("brand", 0.3), ("category", 0.1))
    assert choose_weights(start, ("brand", "category"), lambda _: 1.0)[0] == start
    assert choose_weights((), ("brand",), lambda weights: -len(weights))[0] == ()


def test_each_weighed_field_gets_its_best_k1_and_b() -> None:
    asked: list[FieldBm25] = []

    def near(fields: FieldBm25) -> float:
        """Return the most at brand k1 0.4, b 0 and category k1 1.2, b 0.75."""
        asked.append(fields)
        brand, category = fields.get("brand", Bm25()), fields.get("category", Bm25())
        return -abs(brand.k1 - 0.4) - brand.b - abs(category.k1 - 1.2) - abs(category.b - 0.75)

    start = {"category": Bm25(2.0, 0.0)}
    best = choose_points(start, ("brand", "category"), near)
    assert best == {"brand": Bm25(0.4, 0.0)}  # category has the defaults again
    assert len(asked) <= 1 + 2 * len(POINTS)
    asked.clear()
    assert choose_points(start, (), near) == start
    assert asked == []
    assert choose_points(start, ("brand", "category"), lambda _: 1.0) == start
