"""URLs of pictures: only of the template's own origin, whatever an id is."""

from typing import Any

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.item_pictures import ItemPictures
from gpt4rec_es.reports.page import Page, render_page
from gpt4rec_es.reports.users import Card
from tests.pages import read_page

TEMPLATE = "https://pictures.example:8443/small/{item_id}.jpg?of={item_id}"


def test_an_id_stays_within_its_place() -> None:
    pictures = ItemPictures.read(TEMPLATE)
    assert pictures.origin == "https://pictures.example:8443"
    hostile = "../a?b#c\"'><script>&/\u202e"
    url = pictures.url(hostile)
    assert url.startswith("https://pictures.example:8443/small/..%2Fa%3Fb%23c%22%27%3E%3Cscript%3E")
    assert url.count("/") == 4


@pytest.mark.parametrize(
    "template",
    [
        "pictures/{item_id}.jpg",
        "javascript:alert({item_id})",
        "https://{item_id}.example/x.jpg",
        "https://user@pictures.example/{item_id}",
        "https://pictures.example; script-src */{item_id}",
        "https://pictures.example:x/{item_id}",
        "https://pictures.example/all.jpg",
        "https://pictures.example/x.jpg#{item_id}",
        "https://pictures.example/*' data:{item_id}"[:24],
    ],
)
def test_other_templates_are_refused(template: str) -> None:
    with pytest.raises(UsageError, match=r"no URL of pictures|has no \{item_id\}"):
        ItemPictures.read(template)


def test_a_page_allows_pictures_of_one_origin_if_it_has_any() -> None:
    outcome = {"user_id": "u", "bought": 1, "outcome": "ok", "short_reason": None, "arm": None}
    bought: dict[str, Any] = {"item_id": "a/b", "title": "lamp", "purchased_at": None}
    page = Page("One", "user", cards=[Card(outcome, (bought,), (), (), ("users",), "SELECT 1;")])
    shown = render_page(page, ItemPictures.read(TEMPLATE))
    assert "img-src https://pictures.example:8443; script-src 'sha256-" in shown
    (picture,) = read_page(shown).all("img")
    assert picture.attributes["src"].endswith("/small/a%2Fb.jpg?of=a%2Fb")
    plain = render_page(page)
    assert "img-src" not in plain
    assert "http" not in plain.replace("http-equiv", "")
