"""The benchmark of examples: what words and vectors find of made-up titles."""

from pathlib import Path

from click.testing import CliRunner

from benchmarks.examples import TITLES, by_vectors, by_words, main, numbered_titles
from tests.vectors import save_token_vectors, word_axes


def test_words_find_numbers_and_no_other_word_of_the_same_thing() -> None:
    assert by_words(TITLES, ["sofa", "wool"]) == [[], [TITLES.index("Wool jumper, navy")]]
    models, titles = zip(*numbered_titles(), strict=True)
    assert len(set(models)) == len(models) == 200
    assert [own[0] for own in by_words(titles, models)] == list(range(200))


def test_vectors_find_what_has_a_close_direction(tmp_path: Path) -> None:
    encoder = word_axes(tmp_path, ["wool", "brass"])
    cosines = by_vectors(encoder, TITLES, ["wool", "brass"])
    assert cosines.argmax(1).tolist() == [
        TITLES.index("Wool jumper, navy"),
        TITLES.index("Table lamp, brass"),
    ]


def test_it_prints_a_column_for_each_encoder(tmp_path: Path) -> None:
    folder = save_token_vectors(tmp_path, {"sofa": (1.0, 0.0), "couch": (1.0, 0.0), "x": (0, 1)})
    result = CliRunner().invoke(main, [f"static={folder}"])
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.output.splitlines() if "sofa" in line]
    assert "nothing" in line
    assert "Grey fabric couch" in line
    assert "100%" in result.output
