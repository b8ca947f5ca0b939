"""Pictures of items on pages, from the shop's own server; only where they are asked for.

A page with pictures is the only one that needs a network: its policy allows images of that one
origin, and nothing else.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from gpt4rec_es.errors import UsageError

PLACE = "{item_id}"
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")


@dataclass(frozen=True, slots=True)
class ItemPictures:
    """A template of URLs, with ``{item_id}`` in its path or query.

    origin: scheme, host and port, which the template cannot vary.
    """

    template: str
    origin: str

    @classmethod
    def read(cls, template: str) -> "ItemPictures":
        """Return the pictures of a template.

        Raises:
            UsageError: it is no https or http URL with ``{item_id}`` behind its host.
        """
        try:
            parts = urlsplit(template)
            port = f":{parts.port}" if parts.port else ""
            host = parts.netloc.removesuffix(port)
        except ValueError:
            host = ""
        if not _HOST.fullmatch(host) or parts.scheme not in {"https", "http"}:
            raise UsageError(
                f"{template!r} is no URL of pictures.",
                f"Give one such as https://pictures.example/{PLACE}.jpg.",
            )
        if PLACE not in parts.path + parts.query:
            raise UsageError(
                f"{template!r} has no {PLACE}.", f"Put {PLACE} where an item's id belongs."
            )
        return cls(template, f"{parts.scheme}://{host}{port}")

    def url(self, item_id: str) -> str:
        """Return the URL of an item's picture."""
        return self.template.replace(PLACE, quote(item_id, safe=""))


def read_pictures(text: str) -> ItemPictures:
    """Return the pictures of a setting's text.

    Raises:
        ValueError: ``ItemPictures.read`` refuses it.
    """
    try:
        return ItemPictures.read(text)
    except UsageError as error:
        raise ValueError(f"{error.message} {error.hint}".removesuffix(".")) from error


def write_pictures(pictures: ItemPictures | None) -> str | None:
    """Return the text that ``read_pictures`` reads; None: no pictures."""
    return None if pictures is None else pictures.template
