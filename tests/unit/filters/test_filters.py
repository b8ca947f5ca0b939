from dataclasses import replace

from gpt4rec_es.filters.phrases import Phrases, read_phrases
from gpt4rec_es.filters.scripts import scripts_of
from gpt4rec_es.options.lists import QueryFilters


def test_phrases_are_whole_words_whatever_case_and_punctuation() -> None:
    phrases = Phrases(["Red Lamp", "ass", "lamp-shade", "!!!"])
    assert phrases.find("a RED,  lamp!") == "Red Lamp"
    assert phrases.find("red lampshade") is None
    assert phrases.find("glass ass") == "ass"
    assert phrases.find("glass") is None
    assert phrases.find("Lamp shade") == "lamp-shade"
    assert phrases.find("") is None
    assert phrases.find("!!!") is None


def test_neighbouring_phrases_and_the_first_to_end() -> None:
    phrases = Phrases(["b", "a b c", "c"])
    assert phrases.find("x b c") == "b"
    assert phrases.find("a b c") == "b"
    assert phrases.find("c c") == "c"
    assert Phrases([]).find("a") is None


def test_ten_thousand_phrases_are_found() -> None:
    phrases = Phrases([f"bad thing {n}" for n in range(10_000)])
    assert phrases.find("this is bad thing 9999 indeed") == "bad thing 9999"
    assert phrases.find("this is bad thing 10000 indeed") is None


def test_a_file_of_phrases_has_comments_and_no_order() -> None:
    assert read_phrases("# none\n\nb c \n a\nb c\n") == ("a", "b c")
    assert read_phrases("") == ()


def test_scripts_are_those_of_the_letters() -> None:
    assert scripts_of("red lamp 42 € \u00d7 \u00f7 !") == {"Latin"}
    assert scripts_of("Über-Größe café") == {"Latin"}
    assert scripts_of("красная лампа 42") == {"Cyrillic"}
    assert scripts_of("lamp λ 台灯 ランプ") == {"Latin", "Greek", "Han", "Kana"}
    assert scripts_of("12 34 !?") == frozenset()


def test_filters_are_on_when_there_is_something_to_pass() -> None:
    assert QueryFilters().is_on
    no_filter = QueryFilters(refuse_repetition=False)
    assert not no_filter.is_on
    assert replace(no_filter, phrases=("a",)).is_on
    assert replace(no_filter, catalog_scripts_only=True).is_on
    assert replace(no_filter, max_unknown_fraction=0.5).is_on
