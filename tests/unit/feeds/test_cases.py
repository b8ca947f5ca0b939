"""Files as shops export them: what each of their values means."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.feeds.formats import Formats
from tests.unit.feeds.reading import interactions_of, items_of

S = 1_000_000


def write(folder: Path, content: str, name: str = "feed.csv") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8", newline="")
    return path


def prices(path: Path, **options: Any) -> dict[str, Decimal | None]:
    items, rejects = items_of(path, **options)
    assert not rejects
    return {item.item_id: item.price for item in items}


def test_a_decimal_comma_is_found_out(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "item_id;title;price\nE1;Tasse;12,99\nE2;Lampe;1.299,00\nE3;Stuhl;89,00 €\n"
        "E4;Tisch;1 299,00\nE5;Sofa;1.299\nE6;Bank;1\u202f299,50\u00a0EUR\nE7;Hocker;19,-\n",
    )
    assert prices(path) == {
        "E1": Decimal("12.99"),
        "E2": Decimal("1299.00"),
        "E3": Decimal("89.00"),
        "E4": Decimal("1299.00"),
        "E5": Decimal("1299.00"),
        "E6": Decimal("1299.50"),
        "E7": Decimal("19.00"),
    }


@pytest.mark.parametrize(
    ("text", "decimal", "amount"),
    [
        ("CHF 1'299.50", "point", "1299.50"),
        ("1\u2019299.50", "point", "1299.50"),
        ("R$ 1.299,90", "comma", "1299.90"),
        ("12,99 zł", "comma", "12.99"),
        ("1 299 Kč", "comma", "1299"),
        ("kr. 1.299,-", "comma", "1299"),
        ("₹1,23,456.00", "point", "123456"),
        ("US$ 5", "point", "5"),
        (".99", "point", "0.99"),
        (",5", "comma", "0.5"),
    ],
)
def test_currencies_and_separators(tmp_path: Path, text: str, decimal: Any, amount: str) -> None:
    path = write(tmp_path, f"item_id\tprice\na\t{text}\n")
    assert prices(path, formats=Formats(decimal=decimal)) == {"a": Decimal(amount)}


def test_an_ambiguous_number_is_refused_until_told(tmp_path: Path) -> None:
    path = write(tmp_path, "item_id;title;price\nF1;Sofa;1.299\nF2;Schrank;2.499\nF3;Kissen;19\n")
    with pytest.raises(UsageError, match=r"how to read numbers: '1\.299' in line 2") as caught:
        items_of(path)
    assert "--decimal comma" in caught.value.hint
    assert "--column" in caught.value.hint
    comma, point = Formats(decimal="comma"), Formats(decimal="point")
    assert prices(path, formats=comma)["F1"] == Decimal(1299)
    assert prices(path, formats=point)["F1"] == Decimal("1.30")
    assert prices(path, price="") == {"F1": None, "F2": None, "F3": None}


def test_a_file_of_two_minds_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "item_id;price\na;12,99\nb;12.99\n")
    with pytest.raises(UsageError, match=r"two ways: '12\.99' in line 3 and '12,99' in line 2"):
        items_of(path)


def test_few_strays_do_not_decide(tmp_path: Path) -> None:
    rows = "".join(f"{n};{n}.50\n" for n in range(200))
    items, rejects = items_of(write(tmp_path, f"item_id;price\n{rows}x;12,99\n"))
    assert len(items) == 200
    assert [one.code for one in rejects] == ["bad_price"]


@pytest.mark.parametrize(
    "content",
    [
        "item_id,title,price,,\r\nX1,Red scarf,9.00,,\r\n",
        "item_id,title,price,note,note\nX1,Red scarf,9.00,a,b\n",
        "\r\n\r\nitem_id,title,price\r\nX1,Red scarf,9.00\r\n",
        ",,\n;;\nitem_id,title,price\nX1,Red scarf,9.00\n",
        "item_id,title,price\r\nX1,Red scarf,9.00\r\n,,\r\n , ,\r\n\r\n,,\r\n",
        "Item_ID,Title,Price\nX1,Red scarf,9.00\n",
        "item_id,title,price,note\nX1,Red scarf,9.00\n",
        "item_id,title,price\nX1,Red scarf,9.00,,\n",
        "sep=;\nitem_id;title;price\nX1;Red scarf;9.00\n",
        'item_id,title,price\n"X1","Red scarf","9.00"\n"","",""\n',
    ],
)
def test_columns_that_nobody_uses_do_not_matter(tmp_path: Path, content: str) -> None:
    items, rejects = items_of(write(tmp_path, content))
    assert [(one.item_id, one.title, one.price) for one in items] == [
        ("X1", "Red scarf", Decimal(9))
    ]
    assert not rejects


def test_a_used_column_must_be_there_once(tmp_path: Path) -> None:
    twice = write(tmp_path, "item_id,title,title\nX1,Red,Blue\n")
    with pytest.raises(UsageError, match="2 columns named title"):
        items_of(twice)
    assert items_of(twice, wanted="own", title="")[0][0].title is None
    short = write(tmp_path, 'item_id,title,price\n"X1","Red scarf"\n"X2","Blue scarf",9.00\n')
    assert [one.line for one in items_of(short)[1]] == [2]


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2019-10-01 00:00:04 UTC", 1569888004 * S),
        ("2022-06-24 21:20:11 +0000 UTC", 1656105611 * S),
        ("2023-06-23 14:34:07 -0400", 1687545247 * S),
        ("2023-06-23 14:34:07 -0400 EDT", 1687545247 * S),
        ("2022-06-24T21:20:11.123456789Z", 1656105611 * S + 123456),
        ("2022-06-24 21:20:11+00", 1656105611 * S),
        ("2022-06-24 21:20:11 ", 1656105611 * S),
        ("2022-06-24 21:20:11 GMT+2", 1656098411 * S),
        ("2022/06/24 9:20:11 PM", 1656105611 * S),
        ("2022-06-24 21:20", 1656105600 * S),
        ("2022-06-24 21:20:11 +0000 +0000", 1656105611 * S),
        ("2022-06-24T21:20:11+0000", 1656105611 * S),
        ("1.5777E+12", 1577700000 * S),
        ("1577836800.0", 1577836800 * S),
        ("1577836800000000000", 1577836800 * S),
    ],
)
def test_times(tmp_path: Path, text: str, micros: int) -> None:
    rows, rejects = interactions_of(write(tmp_path, f"user_id,item_id,timestamp\nu,T1,{text}\n"))
    assert not rejects
    assert [row[2] for row in rows] == [micros]


@pytest.mark.parametrize("text", ["2022-06-24 21:20:11 CET", "24:61", "2022-06-24 25:00:00 UTC"])
def test_times_that_mean_nothing_certain(tmp_path: Path, text: str) -> None:
    _, rejects = interactions_of(write(tmp_path, f"user_id,item_id,timestamp\nu,T1,{text}\n"))
    assert [one.code for one in rejects] == ["bad_time"]


def test_the_order_of_day_and_month_is_proven_or_told(tmp_path: Path) -> None:
    head = "user_id,item_id,timestamp\n"
    path = write(tmp_path, f"{head}u,T1,12/1/2010 8:26\nu,T2,12/2/2010 9:41\n")
    with pytest.raises(UsageError, match=r"read dates: '12/1/2010 8:26' in line 2") as caught:
        interactions_of(path)
    assert "--time-format day-first" in caught.value.hint
    december, january = 1291191960 * S, 1263284760 * S
    for pattern, first in (
        ("month-first", december),
        ("day-first", january),
        ("%m/%d/%Y %H:%M", december),
    ):
        rows, _ = interactions_of(path, formats=Formats(time_format=pattern))
        assert rows[0][2] == first
    proven = write(tmp_path, f"{head}u,T1,12/1/2010 8:26\nu,T2,12/13/2010 9:41\n")
    assert interactions_of(proven)[0][0][2] == december
    both = write(tmp_path, f"{head}u,T1,13/1/2010 8:26\nu,T2,12/13/2010 9:41\n")
    with pytest.raises(UsageError, match="two ways"):
        interactions_of(both)


def test_text_that_holds_json_or_literals_is_parsed(tmp_path: Path) -> None:
    long = {"Brand": "Kettler"} | {f"Spec {n}": "value " * 10 for n in range(90)}
    records: list[dict[str, object]] = [
        {"details": json.dumps({"UPC": "0"}), "store": "Howl & Co", "price": "None"},
        {"details": json.dumps({"Brand": "Lemon Yes"}), "store": None, "price": "from 9.99"},
        {"details": json.dumps(long), "store": None, "price": "—"},
        {"details": '{"Brand": "cut o', "store": "", "price": 19.5},
        {"details": {"Brand": "Dicty"}, "store": "None", "price": 19.5},
    ]
    lines = [
        json.dumps({"parent_asin": f"B{n}", "title": "Mug", "categories": ["Toys"], **one})
        for n, one in enumerate(records)
    ]
    items, rejects = items_of(write(tmp_path, "\n".join(lines), "meta.jsonl"))
    assert not rejects
    assert [one.brand for one in items] == ["Howl & Co", "Lemon Yes", "Kettler", None, "Dicty"]
    assert [one.price for one in items] == [None, None, None, Decimal("19.5"), Decimal("19.5")]


def test_text_of_a_column_of_objects_is_no_brand(tmp_path: Path) -> None:
    head = "parent_asin,title,store,details\n"
    path = write(tmp_path, f"{head}a,Mug,nan,not json\nb,Cup,Acme,x\nc,Jar,,'{{\"\n")
    assert [one.brand for one in items_of(path)[0]] == [None, "Acme", None]
    only = write(tmp_path, "parent_asin,title,details\na,Mug,not json\n")
    assert items_of(only)[0][0].brand is None
    lines = write(tmp_path, '{"parent_asin": "a", "title": "Mug", "details": "x"}', "m.jsonl")
    assert items_of(lines)[0][0].brand is None


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('{"en": "Lamp"}', "Lamp"),
        ("['Lamp']", "Lamp"),
        ('{"en": "Lamp", "de": "Lampe"}', None),
        ("[Deal] Lamp", "[Deal] Lamp"),
        ("[Deal]", "[Deal]"),
    ],
)
def test_titles_that_hold_json(tmp_path: Path, text: str, title: str | None) -> None:
    path = write(tmp_path, json.dumps({"item_id": "a", "title": text}), "t.jsonl")
    assert items_of(path)[0][0].title == title


def test_arrays_printed_into_csv(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "main_category,title,price,images,store,categories,details,parent_asin\n"
        "All Beauty,Serum,None,\"{'a': array([None], dtype=object)}\",GlowLab,"
        '"[\'Beauty\' \'Makeup\']","{""Brand"": ""Other""}",B1\n'
        "All Beauty,Comb,7.99,x,,\"['Beauty', 'Hair']\",\"{'Brand': 'Combo'}\",B2\n"
        'All Beauty,Soap,7.99,x,,[],"{""UPC"": ""0""}",B3\n',
    )
    items, rejects = items_of(path)
    assert not rejects
    assert [(one.title, one.brand, one.category, one.price) for one in items] == [
        ("Serum", "GlowLab", "Beauty > Makeup", None),
        ("Comb", "Combo", "Beauty > Hair", Decimal("7.99")),
        ("Soap", None, "All Beauty", Decimal("7.99")),
    ]


def test_ids_of_a_column_of_whole_numbers(tmp_path: Path) -> None:
    head = "user_id,item_id,ordinal\n"
    rows, _ = interactions_of(write(tmp_path, f"{head}20001,R1,1\n20002,R1,1\n20002.0,R2,2\n"))
    assert [row[0] for row in rows] == ["20001", "20002", "20002"]
    rows, _ = interactions_of(write(tmp_path, f"{head}20001.0,R1,1\nx.0,R1,1\n"))
    assert [row[0] for row in rows] == ["20001.0", "x.0"]


def test_quantities_cancellations_and_services(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
        "600001,R100,RED MUG,6,2010-12-01 08:26:00,2.55,20001\n"
        "C600002,R100,RED MUG,-6,2010-12-02 09:41:00,2.55,20001\n"
        "600003,POST,POSTAGE,1,2010-12-02 10:03:00,18.00,20002\n"
        "600003,R101,BLUE MUG,2,2010-12-02 10:03:00,2.55,20002.0\n"
        "600004,R101,BLUE MUG,0,2010-12-02 10:03:00,2.55,20002\n"
        "600005,R101,,1,2010-12-02 11:10:00,0.00,\n",
    )
    columns = {"user_id": "CustomerID", "item_id": "StockCode", "timestamp": "InvoiceDate"}
    formats = Formats(skip_items=["POST"], skip_guests=True)
    for more in ({"quantity": "Quantity"}, {"event": "InvoiceNo", "quantity": "Quantity"}):
        given = Formats(skip_items=["P*T"], skip_guests=True, returns=["C*"])
        chosen = given if "event" in more else formats
        rows, rejects = interactions_of(path, formats=chosen, **columns, **more)
        assert not rejects
        assert [row[:2] for row in rows] == [("20001", "R100"), ("20002", "R101")]


def test_events(tmp_path: Path) -> None:
    names = ["view", "cart", "purchase", "refund", "Order"]
    body = "".join(f"u{n},R1,{n},{name}\n" for n, name in enumerate(names))
    path = write(tmp_path, f"user_id,item_id,ordinal,event_type\n{body}")
    assert [row[0] for row in interactions_of(path)[0]] == ["u2", "u4"]
    chosen = Formats(purchases=["cart"])
    assert [row[0] for row in interactions_of(path, formats=chosen)[0]] == ["u1"]
    unknown = write(tmp_path, "user_id,item_id,ordinal,event\nu,R1,1,zap\n")
    assert [one.code for one in interactions_of(unknown)[1]] == ["bad_event"]


US = (
    "marketplace\tcustomer_id\tproduct_id\tproduct_title\tstar_rating\n"
    'US\t1001\tBK01\t"The Silent Sea" Paperback\t5\n'
    'US\t1002\tBK02\t"Gone fishing\t4\n'
    'US\t1003\tBK03\t12" Vinyl Record\t4\n'
    "US\t1004\tBK04\tPlain book\t4\n"
    'US\t1005\tBK05\t"Quoted whole"\t3\n'
)


def test_tabs_without_quoting(tmp_path: Path) -> None:
    path = write(tmp_path, US, "us.tsv")
    items, rejects = items_of(path, item_id="product_id", title="product_title")
    assert not rejects
    assert [one.title for one in items] == [
        '"The Silent Sea" Paperback',
        '"Gone fishing',
        '12" Vinyl Record',
        "Plain book",
        '"Quoted whole"',
    ]


def test_tabs_with_quoting(tmp_path: Path) -> None:
    path = write(tmp_path, 'item_id\ttitle\na\t"Mug\tbig"\nb\t"Cup\nred"\nc\t"Jar ""x"""\n')
    items, rejects = items_of(path)
    assert not rejects
    assert [one.title for one in items] == ["Mug big", "Cup red", 'Jar "x"']


def test_backslash_escapes_and_null(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'item_id,title,brand,price\nM1,"5\\" steel pipe","Acme",4.00\n'
        'M2,"Hose \\"Pro\\", green",\\N,5.00\nM3,\\N,"\\N",\\N\nM4,"C:\\\\ label",x,1\n'
        'M5,"two\\\nlines",a\\,b,1\nM6,"line\\nbreak",,1\n',
    )
    items, rejects = items_of(path)
    assert not rejects
    assert [(one.title, one.brand) for one in items] == [
        ('5" steel pipe', "Acme"),
        ('Hose "Pro", green', None),
        (None, None),
        ("C:\\ label", "x"),
        ("two lines", "a,b"),
        ("line break", None),
    ]


def test_quotes_that_need_no_escape_but_have_one(tmp_path: Path) -> None:
    path = write(tmp_path, 'item_id,title\na,"it\\\'s"\nb,5\\" pipe\n')
    assert [one.title for one in items_of(path)[0]] == ["it's", '5" pipe']


def test_a_backslash_in_an_ordinary_file_stays(tmp_path: Path) -> None:
    path = write(tmp_path, 'item_id,title\na,"C:\\label"\nb,"ends with \\"\n')
    assert [one.title for one in items_of(path)[0]] == ["C:\\label", "ends with \\"]


@pytest.mark.parametrize(
    "mark", ["\\N", "NA", "<NA>", "(null)", "-", "NULL", "NaN", "nan", "N/A", "None", "—", "", " "]
)
def test_marks_of_no_value_in_every_field(tmp_path: Path, mark: str) -> None:
    row = "\t".join(["a", *[mark] * 5])
    path = write(tmp_path, f"item_id\ttitle\tbrand\tcategory\tprice\tactive\n{row}\n")
    items, rejects = items_of(path)
    assert not rejects
    assert items[0][1:7] == (None,) * 6
    events = write(
        tmp_path,
        f"user_id\titem_id\ttimestamp\tordinal\trating\tquantity\n"
        f"ann\tM1\t{mark}\t1\t{mark}\t{mark}\n{mark}\tM1\t\t1\t\t\n",
    )
    rows, rejects = interactions_of(events)
    assert rows == [("ann", "M1", 1, False, 1, None)]
    assert [one.code for one in rejects] == ["missing_id"]


def test_further_marks(tmp_path: Path) -> None:
    path = write(tmp_path, "item_id,title,brand\na,Mug,Unknown\nb,Cup,Acme\n")
    assert [one.brand for one in items_of(path)[0]] == ["Unknown", "Acme"]
    formats = Formats(no_value=["unknown"])
    assert [one.brand for one in items_of(path, formats=formats)[0]] == [None, "Acme"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ja", "nein", "Oui", "NON", "sí", "si", "no"], [1, 0, 1, 0, 1, 1, 0]),
        (["in_stock", "out of stock", "preorder", "In Stock", "backorder"], [1, 0, 1, 1, 1]),
        (["https://schema.org/InStock", "http://schema.org/OutOfStock"], [1, 0]),
        (["published", "draft", "active", "archived"], [1, 0, 1, 0]),
        (["1", "0", "-1"], [1, 0, 0]),
        (["1.0", "0.0"], [1, 0]),
    ],
)
def test_flags(tmp_path: Path, words: list[str], expected: list[int]) -> None:
    body = "".join(f"{n},{word}\n" for n, word in enumerate(words))
    items, rejects = items_of(write(tmp_path, f"item_id,active\n{body}"))
    assert not rejects
    assert [one.is_active for one in items] == [bool(one) for one in expected]


def test_minus_one_alone_is_refused_until_told(tmp_path: Path) -> None:
    path = write(tmp_path, "item_id,active\na,-1\nb,0\n")
    (reject,) = items_of(path)[1]
    assert "--flag" in reject.reason
    items, _ = items_of(path, formats=Formats(flags={"-1": True}))
    assert [one.is_active for one in items] == [True, False]


def test_two_cut_lines_do_not_swallow_their_neighbours(tmp_path: Path) -> None:
    path = write(tmp_path, 'item_id,title,price\na,"Mug,1\nb,Cup,2\nc,Jar,3\nd big",4\ne,Pot,5\n')
    items, rejects = items_of(path)
    assert [one.item_id for one in items] == ["b", "c", "e"]
    assert [one.line for one in rejects] == [2, 5]
    assert "--quoted-lines" in rejects[0].reason
    items, _ = items_of(path, formats=Formats(quoted_lines=64))
    assert [one.item_id for one in items] == ["a", "e"]
    items, rejects = items_of(path, formats=Formats(quoted_lines=1))
    assert [one.line for one in rejects] == [2, 5]
