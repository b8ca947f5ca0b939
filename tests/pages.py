"""Reads of HTML pages: their tables, figures and texts, as a reader sees them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = {"meta", "wbr", "br", "hr", "img", "link", "input"}


@dataclass
class Node:
    """An element. children: elements and texts in order."""

    tag: str
    attributes: dict[str, str]
    children: list["Node | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, without titles of shapes, spaces collapsed."""
        return " ".join(self.raw.split())

    @property
    def raw(self) -> str:
        """The text with its spaces and line breaks."""
        return "".join(self._texts())

    def _texts(self) -> list[str]:
        found: list[str] = []
        for child in self.children:
            if isinstance(child, str):
                found.append(child)
            elif child.tag not in {"title", "style", "script"}:
                found += child._texts()
        return found

    def all(self, tag: str = "", **attributes: str | None) -> list["Node"]:
        """Return the elements below with this tag and these ``data-`` attributes, in order."""
        found: list[Node] = []
        for child in self.children:
            if isinstance(child, str):
                continue
            wanted = {f"data-{name}": value for name, value in attributes.items()}
            if (not tag or child.tag == tag) and all(
                name in child.attributes and value in {None, child.attributes[name]}
                for name, value in wanted.items()
            ):
                found.append(child)
            found += child.all(tag, **attributes)
        return found

    def one(self, tag: str = "", **attributes: str | None) -> "Node":
        return self.all(tag, **attributes)[0]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        # Every element of our pages is closed where it belongs.
        assert self._open[-1].tag == tag, (self._open[-1], tag)
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read_page(html: str) -> Node:
    """Return the root of a page; it must be well-formed."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader._open == [reader.root]
    return reader.root


def cells(table: Node) -> list[list[Any]]:
    """Return the texts of the rows of a table; lines of a trend as their title."""
    return [
        [
            cell.all("svg")[0].attributes["aria-label"] if cell.all("polyline") else cell.text
            for cell in row.all("th") + row.all("td")
        ]
        for row in table.one("tbody").all("tr")
    ]
