"""Where words fail and where vectors fail: made-up titles, searched by both in this process.

``python -m benchmarks.examples static=FOLDER folder=FOLDER``; docs/retrieval.md has the tables.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from gpt4rec_es.cli.output import print_table
from gpt4rec_es.encoders.sentence_encoder import open_sentence_encoder
from gpt4rec_es.encoders.token_vectors import open_token_vectors
from gpt4rec_es.generation.clean import search_tokens
from gpt4rec_es.lab.bm25.grid import MemoryGrid
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.protocols import Encoder
from gpt4rec_es.records import Bm25

TITLES = [
    "Grey fabric couch, three seats",
    "Oak dining table, extendable",
    "Toddler sneakers size 24",
    "Leather hiking boots, men",
    "Coffee grinder, electric",
    "Milk frother, stainless steel",
    "Wool jumper, navy",
    "Cotton T-shirt, white",
    "Cordless drill bit set",
    "Garden hose, 20 m",
    "After sun cream",
    "Shampoo for dry hair",
    "Baby stroller, foldable",
    "Cot mattress",
    "Mobile phone charger, USB-C",
    "Notebook cooler",
    "Frying pan, 28 cm",
    "Rubbish bags, 60 l",
    "Table lamp, brass",
]
QUERIES = ("sofa", "kids shoes", "burr mill for espresso", "sweater", "settee", "pram", "trash bin")
_NUMBERS = 200
_MAKERS = ("Canon", "Epson", "Brother", "Bosch", "Makita", "Philips")
_THINGS = ("ink cartridge black", "toner cyan", "drum unit", "saw blade", "battery pack", "filter")


def numbered_titles() -> list[tuple[str, str]]:
    """Return model numbers, and titles with them; each number occurs once."""
    chance = random.Random(1)
    numbers = chance.sample(range(100, 1000), _NUMBERS)
    made = []
    for number in numbers:
        model = f"{chance.choice('BCDEKLMPRT')}{chance.choice('ACGKSX')}-{number}"
        made.append((model, f"{chance.choice(_MAKERS)} {model} {chance.choice(_THINGS)}"))
    return made


def by_words(titles: Sequence[str], queries: Sequence[str]) -> list[list[int]]:
    """Return the places of the titles that each query finds by BM25, best first."""
    tokens = [TokenizedTitle(f"{n:05}", n, search_tokens(t)) for n, t in enumerate(titles)]
    grid = MemoryGrid(MemoryIndex(tokens), [Bm25()], len(titles))
    found: list[list[int]] = []
    for hits in grid.search([search_tokens(query) for query in queries]):
        found += [[item for item in own if item >= 0] for own in hits.item_nos[0].tolist()]
    return found


def by_vectors(encoder: Encoder, titles: Sequence[str], queries: Sequence[str]) -> np.ndarray:
    """Return the cosines of queries and titles."""
    cosines: np.ndarray = encoder.encode(queries) @ encoder.encode(titles).T
    return cosines


def _opened(given: str) -> tuple[str, Encoder]:
    kind, _, folder = given.partition("=")
    if kind == "static":
        return kind, open_token_vectors(Path(folder))
    return kind, open_sentence_encoder(Path(folder))


@click.command()
@click.argument("encoders", nargs=-1, required=True)
def main(encoders: tuple[str, ...]) -> None:
    """Print what ENCODERS (static=FOLDER or folder=FOLDER) and words find of made-up titles."""
    opened = [_opened(given) for given in encoders]
    found = by_words(TITLES, QUERIES)
    cosines = [by_vectors(encoder, TITLES, QUERIES) for _, encoder in opened]
    print_table(
        ["query", "by words", *(kind for kind, _ in opened)],
        [
            [query, TITLES[found[row][0]] if found[row] else "nothing"]
            + [f"{TITLES[of[row].argmax()]} ({of[row].max():.2f})" for of in cosines]
            for row, query in enumerate(QUERIES)
        ],
    )
    models, titles = zip(*numbered_titles(), strict=True)
    for name, queries in (("PG-545", models), ("545", [m.split("-")[1] for m in models])):
        ways = [by_words(titles, queries)]
        ways += [np.argsort(-by_vectors(e, titles, queries), 1).tolist() for _, e in opened]
        places = [[1 + own.index(row) for row, own in enumerate(way)] for way in ways]
        print_table(
            [f"like {name}", "first", "worst place"],
            [
                [kind, f"{np.mean(np.array(own) == 1):.0%}", max(own)]
                for kind, own in zip(["words", *(k for k, _ in opened)], places, strict=True)
            ],
        )


if __name__ == "__main__":
    main()
