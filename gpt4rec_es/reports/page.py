"""A page of figures and sections with tables, which most pages are."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gpt4rec_es.options.item_pictures import ItemPictures
from gpt4rec_es.reports.charts import HeatMap
from gpt4rec_es.reports.night_figures import Figure
from gpt4rec_es.reports.pages import render
from gpt4rec_es.reports.tables import Table
from gpt4rec_es.reports.users import Card


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another page of the same folder."""

    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with tables, two of which stand side by side; before them a map and charts."""

    title: str
    tables: Sequence[Table]
    lead: str = ""
    heat: HeatMap | None = None
    plots: Sequence[Markup] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Content of a page; ``eyebrow``: the line above the title, ``lead``: the one below."""

    title: str
    eyebrow: str
    lead: str = ""
    figures: Sequence[Figure] = ()
    links: Sequence[Link] = ()
    cards: Sequence[Card] = ()
    sections: Sequence[Section] = ()
    footer: str = ""


def render_page(page: Page, pictures: ItemPictures | None = None) -> str:
    """Return the HTML of a page; ``pictures``: of its items, None: without."""
    values = {name: getattr(page, name) for name in page.__slots__}
    return render("page.html", pictures=pictures, **values)
