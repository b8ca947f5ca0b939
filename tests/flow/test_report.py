"""Pages of nights: each number is that of its view, texts are escaped, equal data equal bytes."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from gpt4rec_es.db.rows.exports import incomplete_page
from gpt4rec_es.errors import UsageError
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.privacy.forget import forget_user
from gpt4rec_es.reports import numbers
from gpt4rec_es.reports.after_night import write_after_night
from gpt4rec_es.reports.night import load_night
from gpt4rec_es.reports.night_view import render_mail, render_night
from gpt4rec_es.reports.notebook import Answer
from gpt4rec_es.reports.pages import MOST_BYTES
from gpt4rec_es.reports.write import (
    Desk,
    write_index,
    write_mail,
    write_night,
    write_two_runs,
    write_user,
)
from tests.browser.chromium import Chromium
from tests.browser.look import faults
from tests.commands import Cli
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.pages import cells, read_page
from tests.servers import Servers
from tests.shop import Shop, add_purchases, make_shop

DAY = dt.date(2026, 11, 22)
EARLIER, RUN = "nightly-2026-11-22-1", "nightly-2026-11-23-1"
FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
NOTEBOOKS = ("explore-a-night", "compare-recipes", "find-assortment-gaps")
HOSTILE = ("<script>alert(1)</script>", "\u202edlrow", "\x1b[31mred\x1b[0m", "a\u2028b & 'c'")


@pytest.fixture(scope="module")
def shop(servers: Servers, module_database: Database, module_alias: str) -> Shop:
    """A shop of two nights with other purchases, shared by the module."""
    database = module_database
    use_titles(database)
    made = make_shop(servers, database, module_alias)
    runtime = made.runtime()
    for days in range(2):
        date = DAY + dt.timedelta(days=days)
        run_night(runtime.night_parts(), runtime.night_options(), date)
        with database.engine.begin() as connection:
            add_purchases(connection, version=2 + days, first_user=20, users=40)
            connection.execute(text("UPDATE catalog_state SET history_version = 2"))
            connection.execute(text("UPDATE items SET brand = 'b' || item_no % 3, category = 'c'"))
    runtime.close()
    return made


@pytest.fixture
def database(module_database: Database) -> Database:
    return module_database


@pytest.fixture
def nights(shop: Shop, database: Database) -> Engine:
    """An analyst's engine on the shop."""
    return database.analyst_engine


def run_sql(engine: Engine, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a statement by the analyst."""
    with engine.connect() as connection:
        # The statement's colons are text, not parameters.
        return [tuple(row) for row in connection.exec_driver_sql(statement.replace("%", "%%"))]


def as_shown(value: Any) -> str:
    """Return a value of a view as a page shows it."""
    if value is None or value == []:
        return numbers.NONE
    if isinstance(value, bool):
        return "passed" if value else "failed"
    if isinstance(value, float):
        return numbers.seconds(value)
    if isinstance(value, list):
        return " ".join(as_shown(one) for one in value)
    return numbers.count(value) if isinstance(value, int) else numbers.short(str(value))


def plain(shown: str) -> str:
    """Return the text without what differs between a list's ways to be shown."""
    return "".join(
        shown.split("(", maxsplit=1)[0].replace(",", "").replace("+", "").split()
    ).casefold()


def test_every_table_is_what_its_statement_gives(nights: Engine) -> None:
    page = read_page(render_night(load_night(nights)))
    tables = page.all(table=None)
    assert len(tables) >= 15
    filled = 0
    for table in tables:
        statement = table.one("code").text if not table.all("dl") else ""
        for view in table.attributes["data-views"].split():
            assert view in table.one("summary").text
            assert f"analytics.{view}" in table.all("pre")[0].text
        if not statement or not table.all("table"):
            continue
        shown = cells(table)
        rows = run_sql(nights, table.all("pre")[0].raw)
        assert len(shown) == len(rows)
        for mine, row in zip(shown, rows, strict=True):
            given = [plain(as_shown(value)) for value in row]
            words = {
                "queries": "generated queries",
                "co_purchase": "bought together",
                "last_title": "fallback newest title",
                "popular": "fallback popular items",
            }
            given += [plain(words.get(value, "")) for value in row if isinstance(value, str)]
            given += ["yes" if value else "no" for value in row if isinstance(value, bool)]
            assert [one for one in map(plain, mine) if one not in given] == [], table.attributes
            filled += len(mine)
    assert filled > 200


FIGURES = {
    "users": "SELECT sum(list_user_count) FROM list_lengths "
    "WHERE run_id = '{}' AND listed_item_count > 0",
    "full": "SELECT sum(list_user_count) FROM list_lengths WHERE run_id = '{}' AND is_full_list",
    "fallbacks": "SELECT coalesce(sum(work_count), 0) FROM run_work WHERE run_id = '{}' "
    "AND work_name = 'listed' AND work_detail IN ('popular', 'last_title')",
    "catalog": "SELECT recommended_item_count FROM daily_coverage WHERE run_id = '{}' "
    "AND coverage_of = 'all'",
    "changes": "SELECT gained_recommendation_count FROM list_changes WHERE run_id = '{}'",
    "queries": "SELECT count(*) FROM daily_queries AS d WHERE run_id = '{}' AND NOT EXISTS "
    "(SELECT FROM daily_queries AS e WHERE e.query_id = d.query_id "
    "AND logical_date = '2026-11-22')",
    "searches": "SELECT work_count FROM run_work WHERE run_id = '{}' AND stage = 'search' "
    "AND work_name = 'searches'",
    "gates": "SELECT count(*) FROM gate_results WHERE run_id = '{}' AND has_passed",
}


def test_figures_are_those_of_the_views_that_they_name(nights: Engine) -> None:
    page = read_page(render_night(load_night(nights)))
    for key, statement in FIGURES.items():
        figure = page.one(figure=key)
        view = statement.split(" FROM ")[1].split()[0]
        assert view in figure.text
        ((expected,),) = run_sql(nights, "SET search_path = analytics; " + statement.format(RUN))
        shown = figure.text.replace(numbers.NARROW, "").split()
        assert str(expected) in shown, (key, expected, shown)


def test_changes_of_lists_are_counted_against_the_night_before(
    nights: Engine, database: Database
) -> None:
    (changes,) = run_sql(nights, f"SELECT * FROM analytics.list_changes WHERE run_id = '{RUN}'")
    with database.engine.connect() as connection:
        lists: list[dict[int, set[int]]] = []
        for run_no in (1, 2):
            lists.append({})
            for row in connection.execute(
                text("SELECT user_no, item_no FROM recommendations WHERE run_no = :n"),
                {"n": run_no},
            ):
                lists[-1].setdefault(row.user_no, set()).add(row.item_no)
    before, now = lists
    both = before.keys() & now.keys()
    assert changes[2:] == (
        EARLIER,
        len(both),
        sum(before[user] != now[user] for user in both),
        sum(len(before[user] & now[user]) for user in both),
        sum(len(now[user] - before[user]) for user in both),
        sum(len(before[user] - now[user]) for user in both),
    )
    assert 0 < changes[4] < len(both)


def test_the_command_writes_the_page_of_a_run(
    nights: Engine, shop: Shop, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shop.enter(monkeypatch)
    folder = tmp_path / "made" / "here"
    found = cli.json("report", "night", "--output", str(folder))
    path = folder / f"{RUN}.html"
    assert found["path"] == str(path)
    assert found["size"] == path.stat().st_size
    assert found["says"].startswith("Good. Published: all ")
    assert path.stat().st_mode & 0o077 == 0  # it has ids of users
    earlier = cli("report", "night", EARLIER, "--output", str(folder))
    assert str(folder / f"{EARLIER}.html") in earlier
    assert "There is no run" in cli.error("report", "night", "nightly-x", code=2)
    path.chmod(0o600)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert "cannot be made" in cli.error("report", "night", "--output", str(blocked / "x"), code=2)
    assert sorted(one.name for one in folder.iterdir()) == [f"{EARLIER}.html", path.name]


def test_pages_look_right_and_link_to_each_other(
    nights: Engine, browser: Chromium, tmp_path: Path
) -> None:
    desk = Desk(nights, tmp_path)
    first = write_night(desk, EARLIER)
    write_index(desk)
    written = [
        first,
        write_night(desk, RUN),
        write_user(desk, RUN, "u007"),
        write_two_runs(desk, EARLIER, "latest"),
        write_mail(desk, RUN),
        write_index(desk),
    ]
    assert [fault for one in written for fault in faults(browser, Path(one.path))] == []
    links = {
        Path(one.path).name: [
            link.attributes["href"]
            for link in read_page(Path(one.path).read_text("utf-8")).all("a")
            if not link.attributes["href"].startswith("#")
        ]
        for one in written
    }
    there = {path.name for path in tmp_path.iterdir()}
    assert {link for found in links.values() for link in found} <= there
    assert links[f"{RUN}.html"] == ["index.html", f"{EARLIER}.html"]
    assert set(links["index.html"]) == there - {"index.html"}


def test_a_mail_has_the_figures_of_the_page_and_no_user(nights: Engine) -> None:
    facts = load_night(nights, RUN)
    mail, page = (read_page(render(facts)) for render in (render_mail, render_night))
    for row in mail.all(figure=None):
        shown = page.one(figure=row.attributes["data-figure"]).text
        assert all(cell.text in shown for cell in row.all("th") + row.all("td"))
    assert mail.one(verdict=None).text in page.text
    assert not mail.all("style") + mail.all("script") + mail.all("a")
    assert "u0" not in mail.text


def test_two_runs_are_compared_by_their_views(nights: Engine, tmp_path: Path) -> None:
    found = write_two_runs(Desk(nights, tmp_path), EARLIER, RUN)
    page = read_page(Path(found.path).read_text("utf-8"))
    changes = run_sql(nights, f"SELECT * FROM analytics.list_changes WHERE run_id = '{RUN}'")[0]
    assert cells(page.one(table="lists")) == [[numbers.count(one) for one in changes[3:]]]
    assert "history" not in page.text.split("Sources of")[0]
    with pytest.raises(UsageError, match="no run 'x'"):
        write_two_runs(Desk(nights, tmp_path), "x", RUN)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_run_as_an_analyst(
    nights: Engine, database: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("GPT4REC_ANALYST_DATABASE_URL", database.analyst_url)
    document = json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))
    space: dict[str, Any] = {}
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # of no shop
            exec("".join(cell["source"]), space)  # noqa: S102 - our own
    answers = {key: value for key, value in space.items() if isinstance(value, Answer)}
    assert len(answers) >= 3
    # This shop has no evaluations, and titles as queries find what they are named after.
    empty = {key for key, value in answers.items() if not value.rows}
    assert empty <= {"measured", "gaps", "weak"}
    for answer in answers.values():
        shown = read_page(answer._repr_html_())
        assert [cell.text for cell in shown.one("thead").all("th")] == list(answer.columns)


def test_the_browser_sees_what_is_wrong(browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(
        "<html><body><p style='width: 2000px'>wide</p><svg><path d='M0 0'/></svg>"
        "<p style='position: absolute; top: 200px; left: 9px; margin: 0'>one</p>"
        "<b style='position: absolute; top: 200px; left: 9px; margin: 0'>two</b>"
        "<img src=x></body></html>"
    )
    found = " ".join(faults(browser, path))
    for fault in (
        "too wide",
        "overlapping: one / two",
        "empty: <svg>",
        "only 3 texts",
        "image-alt",
    ):
        assert fault in found


def test_a_night_writes_its_pages_and_forgetting_a_user_names_them(
    nights: Engine, shop: Shop, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "pages"
    shop.enter(monkeypatch)
    monkeypatch.setenv("GPT4REC_REPORTS_FOLDER", str(folder))
    third = "nightly-2026-11-24-1"
    said = cli("night", "--date", "2026-11-24", "--allow-future")
    assert f"Its page is {folder}/{third}.html." in said
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", f"{third}.html"]
    assert " src=" not in (folder / f"{third}.html").read_text("utf-8")
    files = cli.json("users", "forget", "u001", "--dry-run")["files"]
    assert [file for file in files if file.endswith(f":{folder}/{third}.html")]
    assert cli.json("runs", "status")["pages"] == []
    runtime = shop.runtime()
    arguments = (nights, runtime.engine, folder, third)
    assert write_after_night(*arguments, "published", again=False) is None  # it is there
    assert write_after_night(*arguments, "rejected") is None
    assert write_after_night(nights, runtime.engine, None, third, "published") is None
    (folder / "index.html").unlink()
    monkeypatch.setenv("GPT4REC_REPORTS_PICTURES", "https://pictures.example/{item_id}.jpg")
    cli("report", "night", third)
    assert 'src="https://pictures.example/i0' in (folder / f"{third}.html").read_text("utf-8")
    found = write_after_night(*arguments, "published")
    assert found is not None
    assert found.path == f"{folder}/{third}.html"
    assert (folder / "index.html").is_file()
    runtime.close()


def test_a_page_that_fails_leaves_the_night_published(
    nights: Engine, shop: Shop, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    shop.enter(monkeypatch)
    monkeypatch.setenv("GPT4REC_REPORTS_FOLDER", str(blocked / "pages"))
    fourth = "nightly-2026-11-25-1"
    said = cli("night", "--date", "2026-11-25", "--allow-future")
    assert "is published" in said
    assert "Its page" not in said
    assert f"the page of {fourth} was not completed" in cli.err
    shown = cli("runs", "status")
    assert f"{blocked}/pages/{fourth}.html was not completed; the lists are published." in shown
    assert f"gpt4rec report night {fourth}" in shown


def test_forgetting_a_user_names_the_pages_that_may_show_it_and_no_others(
    nights: Engine, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(nights, tmp_path, database.engine)
    path = tmp_path / f"{RUN}.html"

    def named() -> bool:
        report = forget_user(database.engine, "u001", actor="test", dry_run=True)
        return any(file.endswith(f":{path}") for file in report.files)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    def kill_at(place: str) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(place, killed)
            with pytest.raises(KeyboardInterrupt):
                write_night(desk, RUN)

    kill_at("gpt4rec_es.reports.write.load_night")
    assert not named()  # nothing was written
    with database.engine.connect() as connection:
        assert incomplete_page(connection, RUN)
    kill_at("gpt4rec_es.files.os.fsync")
    assert not path.exists()
    assert not named()  # on this machine it is seen that nothing is there
    write_night(desk, RUN)
    assert named()
    kill_at("gpt4rec_es.reports.write.load_night")
    assert named()  # the page written before is there
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE exports SET host = 'far', exported_at = NULL"))
    assert not named()


def test_a_page_is_bounded_equal_for_equal_data_and_escapes_titles(
    nights: Engine, database: Database, browser: Chromium, tmp_path: Path
) -> None:
    with database.engine.begin() as connection:
        for place, title in enumerate(HOSTILE):
            connection.execute(
                text("UPDATE items SET title = :title WHERE item_no % 4 = :place"),
                {"title": title + "x" * 10_000, "place": place},
            )
        for one in ("item", "user"):
            connection.execute(
                text(f"UPDATE {one}s SET {one}_id = :h || {one}_id"), {"h": HOSTILE[0] + HOSTILE[1]}
            )
        connection.execute(text("UPDATE queries SET text = :t || text"), {"t": HOSTILE[0]})
    html = render_night(load_night(nights))
    assert html == render_night(load_night(nights))
    assert len(html.encode()) < MOST_BYTES
    page = read_page(html)
    assert len(page.all("script")) == 1  # the page's own
    assert not [one for one in html if one in "\x1b\u202e\u2028"]
    assert "<script>alert(1)</script>" in page.text
    assert "\\u202edlrow" in page.text
    assert "\\x1b[31mred" in page.text
    path = tmp_path / "hostile.html"
    path.write_text(html, encoding="utf-8")
    assert faults(browser, path) == []
    user = f"{HOSTILE[0]}{HOSTILE[1]}u001"
    desk = Desk(nights, tmp_path)
    for written in (write_user(desk, "latest", user), write_mail(desk, "latest")):
        assert faults(browser, Path(written.path)) == []
        shown = Path(written.path).read_text("utf-8")
        assert not [one for one in shown if one in "\x1b\u202e\u2028"]
        assert "<script>alert" not in shown
