"""The composition root: the settings of each part, without servers."""

from dataclasses import fields
from pathlib import Path

import pytest

from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.errors import UsageError
from gpt4rec_es.logs import scrub
from gpt4rec_es.options.gates import GateLimits
from gpt4rec_es.options.holdback import read_holdback
from gpt4rec_es.options.list_rules import ListRules
from gpt4rec_es.options.lists import Fusion, QueryFilters, SearchOptions
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.records import Decoding
from gpt4rec_es.runtime import Runtime
from gpt4rec_es.settings import load_settings
from gpt4rec_es.stack.state import State, save_state

URLS = {
    "DATABASE_URL": "postgresql://writer:runtime-canary@db/night",
    "GPT4REC_OWNER_DATABASE_URL": "postgresql://owner:o@db/night",
    "ELASTICSEARCH_URL": "https://es:9200",
    "CELERY_BROKER_URL": "redis://mq/0",
}


def runtime(**environ: str) -> Runtime:
    return Runtime(load_settings({**URLS, **environ}, None))


@pytest.fixture
def stack_folder(tmp_path: Path) -> Path:
    state = State.fresh().with_port("postgres", 1).with_port("elasticsearch", 2)
    state = State(state.ports | {"broker": 3}, state.passwords, started=True)
    save_state(tmp_path, state)
    return tmp_path


class TestStack:
    def test_a_running_stack_gives_what_is_not_set(self, stack_folder: Path) -> None:
        environ = {"GPT4REC_STACK_FOLDER": str(stack_folder), "ELASTICSEARCH_URL": "http://mine"}
        settings = Runtime.from_environment(environ, None).settings
        assert settings.database_url is not None
        assert "127.0.0.1:1/" in settings.database_url
        assert settings.owner_database_url != settings.database_url
        assert settings.analyst_database_url is not None
        assert settings.elasticsearch_url == "http://mine"
        assert settings.celery_broker_url is not None
        assert settings.celery_broker_url.endswith("@127.0.0.1:3/0")

    def test_no_stack(self, tmp_path: Path) -> None:
        made = Runtime.from_environment({"GPT4REC_STACK_FOLDER": str(tmp_path)}, None)
        with pytest.raises(UsageError, match="ELASTICSEARCH_URL is not set"):
            _ = made.elastic

    def test_set_urls_need_none(self) -> None:
        made = Runtime.from_environment({**URLS, "GPT4REC_STACK_FOLDER": "/nonexistent/x"}, None)
        assert made.settings.elasticsearch_url == "https://es:9200"


def test_secrets_are_told_to_the_scrubber() -> None:
    runtime()
    assert scrub("it said runtime-canary") == "it said ***"


def test_engines_are_those_of_writer_and_owner_and_made_once() -> None:
    made = runtime()
    assert made.engine is made.engine
    assert made.engine.url.username == "writer"
    assert made.owner_engine.url.username == "owner"
    made.close()
    assert made.engine.url.username == "writer"
    made.close()


def test_elastic_client_takes_all_settings(tmp_path: Path) -> None:
    made = runtime(ELASTICSEARCH_USER="u", ELASTICSEARCH_PASSWORD="p-canary")
    assert made.elastic is made.elastic
    assert "canary" not in repr(made.elastic)
    made.close()
    with pytest.raises(UsageError):
        _ = runtime(ELASTICSEARCH_CA_FILE=str(tmp_path / "none.pem")).elastic


def test_a_generator_is_opened_once_for_each_length_of_prompts() -> None:
    made, recipe = runtime(), Recipe()
    row = Generator(1, "titles", "titles", None, "h", True, {}, None)  # type: ignore[arg-type]
    assert made.generator(row, recipe) is made.generator(row, Recipe(Decoding(num_queries=2)))
    assert made.generator(row, recipe).prompt_form.titles == 15
    assert made.generator(row, Recipe(prompt_titles=4)).prompt_form.titles == 4


def test_night_options_are_the_settings(tmp_path: Path) -> None:
    """Every option that has a setting takes it: each is given a value that is not its default."""
    given = {
        "k": 7,
        "depth": 99,
        "exclude_bought": False,
        "generate_shard_size": 11,
        "search_shard_size": 12,
        "merge_shard_size": 13,
        "lease_seconds": 14,
        "max_failures": 5,
        "daily_min_users": 2,
    }
    phrases = tmp_path / "phrases.txt"
    phrases.write_text("b\n# no\na\n")
    rules = {
        "min_price": 1.5,
        "max_price": 9,
        "only_categories": "a > b | c",
        "max_per_brand": 3,
        "not_shown_days": 4,
    }
    texts = {"gate_limits": "full=0.5", "holdback": "autumn:none=0.25"}
    chosen = given | rules | texts | {"forbidden_phrases_file": phrases}
    environ = {f"GPT4REC_{name.upper()}": str(value) for name, value in chosen.items()}
    made = runtime(**environ)
    recipe = Recipe(
        Decoding(num_queries=2),
        filters=QueryFilters(refuse_repetition=False, max_unknown_fraction=0.4),
        search=SearchOptions("2"),
        fusion=Fusion((("co_purchase", 1.0),)),
    )
    options = made.night_options(NamedRecipe("mine", recipe))
    assert {name: getattr(options, name) for name in given} == given
    assert options.recipe == NamedRecipe("mine", recipe)
    parts = (options.decoding, options.fusion, options.search)
    assert parts == (recipe.decoding, recipe.fusion, recipe.search)
    assert options.filters == QueryFilters(False, ("a", "b"), False, 0.4)
    assert options.rules == ListRules(1.5, 9, ("a > b", "c"), 3, 4)
    assert options.gate_limits == GateLimits(full=0.5)
    assert options.holdback == read_holdback("autumn:none=0.25")
    replaced = made.night_options(
        options.recipe, min_price=0, max_price=8, categories=("d",), max_per_brand=1, shown_days=0
    )
    assert replaced.rules == ListRules(0, 8, ("d",), 1, 0)
    without_setting = {"max_outage_seconds"}
    covered = {*given, *texts, "recipe", "phrases", "rules"}
    assert {field.name for field in fields(NightOptions)} - without_setting == covered


def test_night_parts_are_the_runtimes_own() -> None:
    made = runtime(GPT4REC_ACTOR="ops")
    parts = made.night_parts()
    assert (parts.engine, parts.elastic, parts.actor) == (made.engine, made.elastic, "ops")
    assert parts.open_retriever("items-1", "nightly-1") is not None


class TestAnalysis:
    def test_synonyms_come_from_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "synonyms.txt"
        file.write_text("# rules\ntv, television\n\n  mug => cup \n")
        analysis = runtime(GPT4REC_SYNONYMS_FILE=str(file), GPT4REC_ANALYZER="english").analysis()
        assert analysis.analyzer == "english"
        assert analysis.synonyms == ("tv, television", "mug => cup")
        made = runtime(GPT4REC_INDEX_ALIAS="shop")
        assert made.reindex_options().alias == "shop"
        assert made.reindex_options().build.replicas == 0
        assert runtime(GPT4REC_INDEX_REPLICAS="2").reindex_options().build.replicas == 2
        assert made.analysis().synonyms == ()

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        made = runtime(GPT4REC_SYNONYMS_FILE=str(tmp_path / "none.txt"))
        with pytest.raises(UsageError, match="GPT4REC_SYNONYMS_FILE"):
            made.analysis()
