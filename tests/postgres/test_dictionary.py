from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.errors import UsageError
from gpt4rec_es.exports.data_dictionary import BEGIN, END, load_views, render, update_document
from tests.databases import Database
from tests.postgres.analyst_rows import add_three_nights

DOCUMENT = Path(__file__).parents[2] / "docs" / "analytics.md"
SECTIONS = DOCUMENT.read_text().split("\n### ")
# Heading and statement of each worked question.
QUESTIONS = [
    (section.partition("\n")[0], section.partition("```sql\n")[2].partition("```")[0])
    for section in SECTIONS
    if "```sql" in section
]


@pytest.fixture(scope="module")
def shop(module_database: Database) -> Database:
    with module_database.engine.begin() as connection:
        add_three_nights(connection)
        # A query of the published run whose best hit has one of its three words.
        connection.exec_driver_sql("""
            INSERT INTO queries (query_hash, text) VALUES ('\\x06', 'blue garden gnome');
            INSERT INTO generated_queries VALUES (2, 3, 6, -5, 3);
            INSERT INTO searches (build_no, query_no, depth, item_nos, scores, is_exhausted,
                is_empty_query) VALUES (2, 6, 50, '{3}', '{0.1}', true, false)
        """)
        # Both builds have a search of 'red'; add an outcome to the first night, too.
        connection.execute(
            text("UPDATE user_outcomes SET short_reason = 'no more' WHERE run_no = 1")
        )
        connection.execute(text("UPDATE recommendations SET merge_rank = 3, rerank_score = 0.5"))
    return module_database


def test_the_document_is_up_to_date(module_database: Database) -> None:
    assert update_document(module_database.engine, DOCUMENT, write=False) is False


@pytest.mark.parametrize(("question", "statement"), QUESTIONS, ids=[q for q, _ in QUESTIONS])
def test_worked_questions_have_answers(shop: Database, question: str, statement: str) -> None:
    with shop.analyst_engine.connect() as connection:
        connection.execute(text("SET search_path = analytics"))
        assert connection.execute(text(statement)).all()


def test_all_worked_questions_are_found() -> None:
    assert len(QUESTIONS) == DOCUMENT.read_text().count("```sql") >= 8


def test_every_view_and_column_is_in_the_dictionary(module_database: Database) -> None:
    with module_database.engine.connect() as connection:
        views = load_views(connection)
        columns = connection.execute(
            text("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'analytics'")
        ).scalar_one()
    assert len(views) >= 16
    assert sum(len(view.columns) for view in views) == columns
    shown = render(views)
    assert all(f"### {view.name}\n" in shown for view in views)
    assert "None" not in shown


def test_only_what_is_between_the_markers_changes(
    module_database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "doc.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert update_document(module_database.engine, path, write=False)
    assert "old" in path.read_text(), "a check changes nothing"
    assert update_document(module_database.engine, path)
    assert not update_document(module_database.engine, path)
    written = path.read_text()
    assert written.startswith(f"before\n{BEGIN}\n")
    assert written.endswith(f"{END}\nafter\n")
    assert "### latest_recommendations" in written
    assert "old\n" not in written


def test_missing_parts_raise_errors(
    module_database: Database, empty_database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "doc.md"
    with pytest.raises(UsageError, match="cannot be read"):
        update_document(module_database.engine, path)
    path.write_text("no markers")
    with pytest.raises(UsageError, match="no place"):
        update_document(module_database.engine, path)
    path.write_text(f"{BEGIN}{END}")
    with pytest.raises(UsageError, match="db upgrade"):
        update_document(empty_database.engine, path)


def test_a_bar_in_a_comment_does_not_end_a_cell(database: Database) -> None:
    with database.owner_engine.begin() as connection:
        connection.execute(text("COMMENT ON COLUMN analytics.users.user_id IS 'one | two'"))
        assert r"| one \| two |" in render(load_views(connection))
