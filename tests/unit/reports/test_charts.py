"""Coordinates of charts, by hand."""

from gpt4rec_es.reports.charts import span, spark


def test_a_line_goes_from_zero_to_its_maximum() -> None:
    found = spark([0, 5, 10])
    assert found.points == "3,23 52,13 101,3"
    assert found.area == "3,23 3,23 52,13 101,3 101,23"
    assert (found.last_x, found.last_y) == (101, 3)


def test_a_line_without_any_value_is_on_the_ground() -> None:
    assert spark([0, 0]).points == "3,23 101,23"


def test_one_value_is_where_the_newest_of_several_is() -> None:
    assert spark([4]).points == "101,3"


def test_an_interval_is_between_the_ends_of_its_column() -> None:
    found = span(0.5, 0, 1, -1, 1)
    assert (found.left, found.middle, found.right, found.zero) == (52, 76.5, 101, 52)
    assert span(2, 2, 2, 2, 2).zero is None
