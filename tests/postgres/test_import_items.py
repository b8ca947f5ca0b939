"""Importing items: stored rows, unchanged rows, and when the catalog version is raised."""

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.import_items import import_items
from gpt4rec_es.catalog.import_job import ImportReport, ImportStoppedError
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.feeds.formats import Formats
from tests.databases import Database

SAMPLES = Path(__file__).parents[1] / "data" / "feeds"


class Catalog:
    """A catalog into which tests import texts as files."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.engine = database.engine
        self.path = folder / "items.csv"

    def load(self, content: str, **options: Any) -> ImportReport:
        self.path.write_text(content)
        return import_items(self.engine, [self.path], actor="tester", **options)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.begin() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def one(self, sql: str) -> Any:
        return self.query(sql)[0][0]

    @property
    def version(self) -> int:
        found: int = self.one("SELECT catalog_version FROM catalog_state")
        return found


@pytest.fixture
def catalog(database: Database, tmp_path: Path) -> Catalog:
    return Catalog(database, tmp_path)


def test_what_is_stored(catalog: Catalog) -> None:
    report = import_items(catalog.engine, [SAMPLES / "own_items.csv"], actor="tester")
    assert (report.records, report.accepted, report.inserted) == (5, 5, 5)
    assert (report.updated, report.unchanged, report.rejected) == (0, 0, {})
    assert report.version == catalog.version == 1
    assert catalog.query(
        "SELECT item_id, title, title_raw, brand, category, price, is_active, is_trainable, "
        "version FROM items ORDER BY item_no"
    ) == [
        ("M1", "Blue Mug", "Blue Mug", "Acme", "Kitchen > Mugs", Decimal("4.50"), True, True, 1),
        (
            "M2",
            'Mug, "large"',
            'Mug, "large"',
            "Acme",
            "Kitchen > Mugs",
            Decimal("1234.00"),
            True,
            True,
            1,
        ),
        (
            "M3",
            "Rosé Cup & Saucer",
            "Ros&eacute; Cup &amp; Saucer",
            None,
            "Kitchen > Cups",
            None,
            True,
            True,
            1,
        ),
        ("M4", "schöne Tasse", "schÃ¶ne Tasse", "Ümlaut", None, Decimal("0.85"), False, True, 1),
        ("M5", None, "???", "Acme", None, Decimal("1.00"), True, False, 1),
    ]
    assert catalog.query(
        "SELECT kind, files, state, actor, records, rejected, inserted, updated, error, "
        "finished_at >= started_at FROM imports"
    ) == [
        ("items", [str(SAMPLES / "own_items.csv")], "done", "tester", 5, 0, 5, 0, None, True),
    ]


def test_again_changes_nothing(catalog: Catalog) -> None:
    import_items(catalog.engine, [SAMPLES / "own_items.csv"], actor="tester")
    before = catalog.query("SELECT xmin::text, ctid::text, * FROM items ORDER BY item_no")
    report = import_items(catalog.engine, [SAMPLES / "own_items.csv"], actor="tester")
    assert (report.inserted, report.updated, report.unchanged) == (0, 0, 5)
    assert report.version == catalog.version == 1
    # The rows are not rewritten with equal values either.
    assert catalog.query("SELECT xmin::text, ctid::text, * FROM items ORDER BY item_no") == before


def test_only_what_differs_is_changed(catalog: Catalog) -> None:
    catalog.load("item_id,title,price\na,Mug,1\nb,Cup,2\nc,Jar,\n")
    report = catalog.load("item_id,title,price\na,Mug,1.00\nb,Cup,3\nd,Pot,4\n")
    assert (report.inserted, report.updated, report.unchanged) == (1, 1, 1)
    assert report.version == 2
    assert catalog.query("SELECT item_id, price, version FROM items ORDER BY item_id") == [
        ("a", Decimal("1.00"), 1),
        ("b", Decimal("3.00"), 2),
        ("c", None, 1),
        ("d", Decimal("4.00"), 2),
    ]


def test_what_is_absent_or_empty_keeps_its_value_unless_told(catalog: Catalog) -> None:
    catalog.load("item_id,title,brand,category,price,active\na,Mug,Acme,Kitchen,1,false\n")
    columns = "SELECT title, brand, category, price, is_active FROM items"
    catalog.load("item_id,price\na,2\n")
    assert catalog.query(columns) == [("Mug", "Acme", "Kitchen", Decimal("2.00"), False)]
    catalog.load("item_id,title\na,Big Mug\n")
    assert catalog.query(columns) == [("Big Mug", "Acme", "Kitchen", Decimal("2.00"), False)]
    report = catalog.load("item_id,title,brand,active\na,Big Mug,,\n")
    assert catalog.query(columns) == [("Big Mug", "Acme", "Kitchen", Decimal("2.00"), False)]
    assert (report.kept, report.lost, report.warnings) == ({"brand": 1}, {}, ())
    report = catalog.load("item_id,title,brand,active\na,Big Mug,,\n", on_empty="clear")
    assert (report.kept, report.lost) == ({}, {"brand": 1})
    assert report.without["brand"] == (0, 1)
    assert report.warnings == ("1 of 1 items lost their brand: the files have it empty",)
    assert catalog.query(columns) == [("Big Mug", None, "Kitchen", Decimal("2.00"), False)]
    catalog.load("item_id,active\na,yes\n")
    assert catalog.query(columns) == [("Big Mug", None, "Kitchen", Decimal("2.00"), True)]


def test_rows_of_variants_erase_nothing(catalog: Catalog) -> None:
    report = catalog.load(
        "Handle,Title,Body,Vendor,Category,Price,Status\n"
        'shirt,Linen Shirt,"<p>Soft.</p>\n<p>Washed.</p>",Harbour,Shirts,49,active\n'
        "shirt,,,,,49,\nshirt,,,,,52,\nshirt,,,,,,\ncap,Cap,,Nordlys,Hats,25,draft\n",
        columns={
            "item_id": "Handle",
            "brand": "Vendor",
            "active": "Status",
            "description": "Body",
        },
    )
    assert (report.inserted, report.duplicates, report.kept) == (2, 3, {})
    full = dict.fromkeys(("title", "brand", "category", "price"), (0, 0))
    assert report.without == {**full, "description": (0, 1)}
    assert catalog.query(
        "SELECT title, title_raw, brand, category, price, is_active, description FROM items "
        "ORDER BY item_id"
    ) == [
        ("Cap", "Cap", "Nordlys", "Hats", Decimal(25), False, None),
        ("Linen Shirt", "Linen Shirt", "Harbour", "Shirts", Decimal(52), True, "Soft. Washed."),
    ]


def test_a_description_is_a_part_of_the_catalog(catalog: Catalog) -> None:
    read = "SELECT description FROM items"
    catalog.load("item_id,title\na,Mug\n")
    report = catalog.load("item_id,description\na,<i>For</i> tea\n")
    assert (report.updated, catalog.version, catalog.query(read)) == (1, 2, [("For tea",)])
    report = catalog.load("item_id,title,description\na,Mug,For tea\n")
    assert (report.unchanged, catalog.version) == (1, 2)
    report = catalog.load("item_id,description\na,\n")
    assert (report.kept, catalog.query(read)) == ({"description": 1}, [("For tea",)])
    report = catalog.load("item_id,description\na,\n", on_empty="clear")
    assert (report.lost, catalog.version, catalog.query(read)) == ({"description": 1}, 3, [(None,)])


def test_a_title_and_its_delivered_form_come_from_one_record(catalog: Catalog) -> None:
    titles = "SELECT title, title_raw FROM items"
    catalog.load("item_id,title\na,<b></b>\n")
    assert catalog.query(titles) == [(None, "<b></b>")]
    catalog.load("item_id,title\na,\n")
    assert catalog.query(titles) == [(None, "<b></b>")]
    catalog.load("item_id,title\na,<b>Mug</b>\na,???\n")
    assert catalog.query(titles) == [("Mug", "<b>Mug</b>")]
    catalog.load("item_id,title\na,???\n")
    assert catalog.query(titles) == [("Mug", "<b>Mug</b>")]
    catalog.load("item_id,title\na,???\n", on_empty="clear")
    assert catalog.query(titles) == [(None, "???")]


def test_what_was_found_out_and_left_out_is_stored(catalog: Catalog) -> None:
    report = catalog.load(
        "item_id;title;price\na;Mug;12,99\n;;\nPOST;Postage;1\n",
        formats=Formats(skip_items=["POST"]),
    )
    assert report.records == 2
    assert report.skipped == {"blank line": 1, "item left out": 1}
    assert report.said == (f"{catalog.path}: decimal comma, by '12,99' in line 2",)
    assert catalog.one("SELECT notes FROM imports") == [
        report.said[0],
        "skipped: 1 x blank line",
        "skipped: 1 x item left out",
    ]


def test_a_file_that_leaves_open_how_to_read_it_is_not_imported(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="leaves open"):
        catalog.load("item_id,title,price\na,Sofa,1.299\n")
    assert catalog.one("SELECT count(*) FROM imports") == 0
    catalog.load("item_id,title,price\na,Sofa,1.299\n", columns={"price": ""})
    assert catalog.query("SELECT title, price FROM items") == [("Sofa", None)]


def test_the_last_of_several_records_is_used(catalog: Catalog) -> None:
    report = catalog.load("item_id,title\na,First\nb,Cup\na,Second\na,Third\n")
    assert (report.accepted, report.inserted, report.duplicates) == (4, 2, 2)
    assert catalog.query("SELECT item_id, title FROM items ORDER BY item_id") == [
        ("a", "Third"),
        ("b", "Cup"),
    ]


def test_ids_differ_by_their_bytes(catalog: Catalog) -> None:
    report = catalog.load("item_id,title\na,1x\nA,2x\ná,3x\na\u0301,4x\n0a,5x\n")
    assert report.inserted == 5
    assert [row[0] for row in catalog.query("SELECT item_id FROM items ORDER BY item_no")] == [
        "0a",
        "A",
        "a",
        "a\u0301",
        "á",
    ]


def test_a_title_of_more_than_400_characters_is_not_trainable(catalog: Catalog) -> None:
    catalog.load(f"item_id,title\na,{'x' * 400}\nb,{'x' * 401}\nc,nan\n")
    assert catalog.query(
        "SELECT item_id, title IS NULL, is_trainable FROM items ORDER BY item_id"
    ) == [("a", False, True), ("b", False, False), ("c", True, False)]


def test_a_full_catalog_deactivates_what_it_lacks(catalog: Catalog) -> None:
    catalog.load("item_id,title\n" + "".join(f"{n},Mug\n" for n in range(10)))
    report = catalog.load(
        "item_id,title\n" + "".join(f"{n},Mug\n" for n in range(9)), deactivate_missing=True
    )
    assert (report.deactivated, report.unchanged, report.version) == (1, 9, 2)
    inactive = "SELECT item_id, version FROM items WHERE NOT is_active"
    assert catalog.query(inactive) == [("9", 2)]
    assert catalog.query("SELECT updated FROM imports ORDER BY import_no") == [(0,), (1,)]
    # It becomes active again: a full catalog without a column "active" lists the active items.
    report = catalog.load(
        "item_id,title\n" + "".join(f"{n},Mug\n" for n in range(1, 10)), deactivate_missing=True
    )
    assert (report.updated, report.deactivated) == (1, 1)
    assert catalog.query(inactive) == [("0", 3)]


def test_an_item_whose_record_is_wrong_is_not_missing(catalog: Catalog) -> None:
    body = "".join(f"{n},Mug,1\n" for n in range(9))
    catalog.load("item_id,title,price\n" + body + "9,Mug,1\n")
    report = catalog.load(
        "item_id,title,price\n" + body + "9,Mug,cheap\n", deactivate_missing=True, max_rejects=0.5
    )
    assert (report.rejected, report.deactivated) == ({"bad_price": 1}, 0)
    assert catalog.one("SELECT count(*) FROM items WHERE is_active") == 10


def test_a_truncated_catalog_deactivates_nothing(catalog: Catalog) -> None:
    catalog.load("item_id,title\n" + "".join(f"{n},Mug\n" for n in range(10)))
    with pytest.raises(DataError, match=r"3 of 10 active items are missing .* more than 20%"):
        catalog.load(
            "item_id,title\nnew,Cup\n" + "".join(f"{n},Mug\n" for n in range(7)),
            deactivate_missing=True,
        )
    assert catalog.one("SELECT count(*) FROM items WHERE is_active") == 10
    assert catalog.version == 1
    assert catalog.one("SELECT error FROM imports WHERE state = 'failed'").startswith("3 of 10")
    report = catalog.load("item_id,title\n1,Mug\n", deactivate_missing=True, max_missing=1)
    assert report.deactivated == 9


def test_a_dry_run_counts_and_changes_nothing(catalog: Catalog) -> None:
    catalog.load("item_id,title\na,Mug\nb,Cup\n")
    tables = ("items", "imports", "import_rejects", "catalog_state")
    before = [catalog.query(f"SELECT * FROM {table} ORDER BY 1") for table in tables]
    report = catalog.load(
        "item_id,title,price\na,Mug,1\nc,Jar,2\nd,Pot,x\n",
        dry_run=True,
        max_rejects=0.5,
        deactivate_missing=True,
        max_missing=0.5,
    )
    assert (report.inserted, report.updated, report.unchanged) == (1, 1, 0)
    assert (report.deactivated, report.rejected, report.import_no) == (1, {"bad_price": 1}, None)
    assert [catalog.query(f"SELECT * FROM {table} ORDER BY 1") for table in tables] == before


def test_several_files_are_one_import(catalog: Catalog, tmp_path: Path) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.jsonl"
    first.write_text("item_id,title\na,Mug\nb,Cup\n")
    second.write_text('{"item_id": "b", "title": "Big Cup", "price": 3}\n')
    report = import_items(catalog.engine, [first, second], actor="tester")
    assert (report.records, report.inserted, report.duplicates, report.version) == (3, 2, 1, 1)
    assert catalog.query("SELECT item_id, title, price FROM items ORDER BY item_id") == [
        ("a", "Mug", None),
        ("b", "Big Cup", Decimal("3.00")),
    ]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("sku,name\n1,Mug\n", {}, "has the fields sku, name"),
        ("user_id,item_id\n1,2\n", {}, "holds interactions"),
        ("item_id,title\n", {"columns": {"title": "name"}}, "no column name"),
        ("item_id,title\n", {"shape": "amazon2014"}, "fits no shape"),
    ],
)
def test_invalid_arguments_change_nothing(
    catalog: Catalog, content: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        catalog.load(content, **options)
    assert catalog.one("SELECT count(*) FROM imports") == 0


def test_no_files_and_missing_files(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file to import"):
        import_items(catalog.engine, [], actor="tester")
    catalog.path.write_text("item_id,title\na,Mug\n")
    with pytest.raises(UsageError, match=r"missing\.csv cannot be read"):
        import_items(catalog.engine, [catalog.path, tmp_path / "missing.csv"], actor="tester")
    assert catalog.one("SELECT count(*) FROM imports") == 0


def test_columns_by_option(catalog: Catalog) -> None:
    catalog.load("sku;name;brand\n17;Mug;Acme\n", columns={"item_id": "sku", "title": "name"})
    assert catalog.query("SELECT item_id, title, brand FROM items") == [("17", "Mug", "Acme")]


def test_a_file_without_rows(catalog: Catalog) -> None:
    report = catalog.load("item_id,title\n")
    assert (report.records, report.inserted, report.version) == (0, 0, 0)


def test_all_that_is_accepted_can_be_stored(catalog: Catalog, tmp_path: Path) -> None:
    """Unusual characters in every field that accepts them are stored."""
    odd = [chr(n) for n in [*range(1, 0x250), 0x2028, 0x202E, 0xFFFE, 0xFFFF, 0x1F600, 0xE0001]]
    path = tmp_path / "odd.csv"
    lines = ["item_id,title,brand,category,price"]
    for number, one in enumerate(odd):
        if one not in '\n\r"':
            lines += [f"{number},T{one}x,B{one}x,C{one}x,1", f"id{one}x,Mug,,,1"]
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    report = import_items(catalog.engine, [path], actor="tester", max_rejects=1)
    assert report.records == len(lines) - 1
    assert set(report.rejected) == {"bad_id", "field_count"}  # the comma adds a field
    assert report.inserted == report.accepted
    assert catalog.one("SELECT count(*) FROM items") == report.inserted


def test_progress_ends_at_the_files_sizes(catalog: Catalog) -> None:
    seen: list[tuple[int, int | None]] = []
    content = "item_id,title\n" + "".join(f"{n},Mug {n}\n" for n in range(60_000))
    catalog.load(content, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {len(content)}
    assert seen[-1][0] == len(content)


def test_too_many_rejects_change_nothing_but_are_kept(catalog: Catalog) -> None:
    catalog.load("item_id,title,price\nold,Mug,1\n")
    good = "".join(f"{n},Mug,1\n" for n in range(98))
    with pytest.raises(ImportStoppedError) as caught:
        catalog.load(f"item_id,title,price\n{good}x,Mug,cheap\n\x1b[31m,Mug,1\n")
    assert "2 of 100 records" in str(caught.value)
    assert "--max-rejects" in caught.value.hint
    report = caught.value.report
    assert report is not None
    assert (report.records, report.accepted, report.inserted) == (100, 98, 0)
    assert report.rejected == {"bad_price": 1, "bad_id": 1}
    assert [(one.line, one.code) for one in report.first_rejects] == [
        (100, "bad_price"),
        (101, "bad_id"),
    ]
    assert catalog.query("SELECT item_id, version FROM items") == [("old", 1)]
    assert catalog.version == 1
    assert catalog.query(
        "SELECT state, records, rejected, inserted, error LIKE '2 of 100%' FROM imports "
        "WHERE import_no = (SELECT max(import_no) FROM imports)"
    ) == [("failed", 100, 2, 0, True)]
    assert catalog.query(
        "SELECT reject_no, file, line, reason_code, excerpt FROM import_rejects ORDER BY 1"
    ) == [
        (1, str(catalog.path), 100, "bad_price", "x,Mug,cheap"),
        (2, str(catalog.path), 101, "bad_id", "\\x1b[31m,Mug,1"),
    ]


def test_few_rejects_are_stored_and_the_rest_imported(catalog: Catalog) -> None:
    good = "".join(f"{n},Mug,1\n" for n in range(99))
    report = catalog.load(f"item_id,title,price\nx,Mug,cheap\n{good}")
    assert (report.inserted, report.rejected) == (99, {"bad_price": 1})
    assert catalog.query("SELECT state, rejected FROM imports") == [("done", 1)]
    assert catalog.query("SELECT import_no, line, reason FROM import_rejects") == [
        (report.import_no, 2, "'cheap' is no price")
    ]


def test_an_import_with_too_many_rejects_stops_early(catalog: Catalog) -> None:
    seen: list[int] = []
    content = "item_id,title\n" + "".join(f"{n},Mug,{n}\n" for n in range(200_000))
    with pytest.raises(ImportStoppedError):
        catalog.load(content, progress=lambda done, _: seen.append(done))
    assert seen[-1] < len(content) / 2
    assert catalog.one("SELECT count(*) FROM import_rejects") > 1000


def test_a_damaged_file_changes_nothing(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.gz"
    rows = "".join(f"{n},Mug {n * 7919 % 1000}\n" for n in range(100_000))
    packed = gzip.compress(f"item_id,title\n{rows}".encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="cut off"):
        import_items(catalog.engine, [path], actor="tester")
    assert catalog.one("SELECT count(*) FROM items") == 0
    assert catalog.version == 0
    state, error = catalog.query("SELECT state, error FROM imports")[0]
    assert state == "failed"
    assert "cut off" in error
