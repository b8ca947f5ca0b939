"""Three data sets with nights: two generated shops, and customers of a folder of CSV files.

A folder has items.csv.gz (item_id, title, price) and interactions.csv.gz (user_id, item_id,
ordinal), as data/online-retail-ii-sample has them.
"""

import csv
import gzip
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from benchmarks.place import Place

SAMPLE = Path(__file__).parents[2] / "data" / "online-retail-ii-sample"
# Purchases of a user that arrive after the first night, at most; part of users that buy in a day.
_LATER, _DAILY = 5, 0.05
_STYLES = ("vintage", "garden", "kitchen", "christmas", "floral", "retro", "modern", "rustic")
_COLOURS = ("red", "blue", "green", "white", "black", "pink", "silver", "golden")
_THINGS = (
    *("teapot", "lantern", "cushion", "clock", "candle", "mirror", "basket", "vase"),
    *("tray", "mug", "frame", "bowl", "lamp", "rug", "shelf"),
)

# The words of the shop of styles.
WORDS = [*_STYLES, *_COLOURS, *_THINGS]


@dataclass(frozen=True)
class ShopData:
    """Items (title, price) and purchases in order; made: by user, those since the first night."""

    name: str
    items: Sequence[tuple[str, float]]
    users: Sequence[Sequence[int]]
    made: Counter[int] = field(default_factory=Counter)


def styles(users: int, chance: random.Random) -> ShopData:
    """Return a shop whose users buy things of one style and colour, with a fifth by chance."""
    names = list(itertools.product(_STYLES, _COLOURS, _THINGS))
    items = [(" ".join(name), round(chance.lognormvariate(2, 0.7), 2)) for name in names]
    places = {name: place for place, name in enumerate(names)}
    bought = []
    for _ in range(users):
        style, colour = chance.choice(_STYLES), chance.choice(_COLOURS)
        own = []
        for _ in range(chance.randint(4, 12)):
            thing = chance.choice(_THINGS)
            if chance.random() < 0.2:
                style_now, colour_now = chance.choice(_STYLES), chance.choice(_COLOURS)
            else:
                style_now, colour_now = style, colour
            own.append(places[style_now, colour_now, thing])
        bought.append(list(dict.fromkeys(own)))
    return ShopData("styles", items, bought)


def skewed(users: int, chance: random.Random) -> ShopData:
    """Return a shop of random words whose items are bought by a power law, in groups."""
    words = [f"{a}{b}{c}" for a, b, c in itertools.product("bdfgklmnprst", "aeiou", "lmnrst")]
    titles = [
        " ".join(words[int(len(words) * chance.random() ** 2)] for _ in range(chance.randint(3, 7)))
        for _ in range(1500)
    ]
    items = [(title, round(chance.lognormvariate(3, 1), 2)) for title in titles]
    bought = []
    for _ in range(users):
        first = 50 * chance.randrange(30)
        own = [
            first + int(50 * chance.random() ** 2)
            if chance.random() < 0.7
            else int(1500 * chance.random() ** 3)
            for _ in range(chance.randint(3, 15))
        ]
        bought.append(list(dict.fromkeys(own)))
    return ShopData("skewed", items, bought)


def of_folder(folder: Path, users: int, chance: random.Random) -> ShopData:
    """Return ``users`` customers of a folder of CSV files, with all of its items."""
    with gzip.open(folder / "items.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    places = {row["item_id"]: place for place, row in enumerate(rows)}
    bought: dict[str, list[tuple[int, int]]] = {}
    with gzip.open(folder / "interactions.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["item_id"] in places:
                own = bought.setdefault(row["user_id"], [])
                own.append((int(row["ordinal"]), places[row["item_id"]]))
    chosen = chance.sample(sorted(bought), min(users, len(bought)))
    histories = [list(dict.fromkeys(item for _, item in sorted(bought[user]))) for user in chosen]
    items = [(row["title"], float(row.get("price") or 0)) for row in rows]
    return ShopData(folder.name, items, histories)


Shop = Callable[[int, random.Random], ShopData]


def fill(place: Place, data: ShopData) -> None:
    """Insert items, users and first purchases: all but each user's last ones."""
    with place.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO items (item_id, title, title_raw, price, version) "
                "SELECT 'i' || lpad(n::text, 7, '0'), t, t, nullif(p, 0), 1 FROM unnest("
                "cast(:titles AS text[]), cast(:prices AS float8[])) WITH ORDINALITY AS x(t, p, n)"
            ),
            {
                "titles": [title for title, _ in data.items],
                "prices": [price for _, price in data.items],
            },
        )
        connection.execute(
            text(
                "INSERT INTO users (user_id) SELECT 'u' || lpad(n::text, 7, '0') "
                "FROM generate_series(1, :users) AS n ORDER BY 1"
            ),
            {"users": len(data.users)},
        )
    rows = [
        (user, item, ordinal)
        for user, own in enumerate(data.users, start=1)
        for ordinal, item in enumerate(own[: first_purchases(own)])
    ]
    buy(place, rows, version=1)
    place.run("UPDATE catalog_state SET catalog_version = 1")
    place.run("ANALYZE")


def first_purchases(own: Sequence[int]) -> int:
    """Return how many purchases of a user are made before the first night."""
    return max(2, len(own) - _LATER)


def next_purchases(data: ShopData, chance: random.Random) -> list[tuple[int, int, int]]:
    """Return the purchases (user, item, ordinal) of a day: each user's next one, of 5 %."""
    found = []
    for user, own in enumerate(data.users, start=1):
        ordinal = first_purchases(own) + data.made[user]
        if ordinal < len(own) and chance.random() < _DAILY:
            data.made[user] += 1
            found.append((user, own[ordinal], ordinal))
    return found


def buy(place: Place, rows: Sequence[tuple[int, int, int]], version: int) -> None:
    """Insert purchases (user number, item index, ordinal) as an import of a history version."""
    with place.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
                "SELECT u, i + 1, o, o, :version FROM unnest(cast(:users AS int[]), "
                "cast(:items AS int[]), cast(:ordinals AS int[])) AS x(u, i, o) "
                "ON CONFLICT DO NOTHING"
            ),
            {
                "version": version,
                "users": [row[0] for row in rows],
                "items": [row[1] for row in rows],
                "ordinals": [row[2] for row in rows],
            },
        )
        connection.execute(
            text("UPDATE catalog_state SET history_version = :version"), {"version": version}
        )
