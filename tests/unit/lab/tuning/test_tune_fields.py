"""The order in which weights of fields are tried, on values that are known."""

from gpt4rec_es.lab.tuning.tune_fields import WEIGHTS, choose_weights


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
