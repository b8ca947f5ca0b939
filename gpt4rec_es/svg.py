"""Parts of SVG pictures.

No library: pictures of rectangles, lines and text do not need one.
"""

from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from gpt4rec_es.errors import UsageError
from gpt4rec_es.files import require_regular


def picture(width: int, height: int, size: int, parts: Iterable[str]) -> str:
    """Return an SVG of ``parts`` on white; ``size``: default font size in pixels."""
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
                f'width="{width}" height="{height}" font-family="sans-serif" font-size="{size}">'
            ),
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def text(
    x: float,
    y: float,
    content: str,
    anchor: str = "",
    *,
    size: int,
    weight: str = "normal",
    colour: str = "black",
) -> str:
    """Return one line of text; ``anchor``: "middle" or "end" of the text is at ``x``."""
    anchored = f'text-anchor="{anchor}" ' if anchor else ""
    return (
        f'<text x="{x:g}" y="{y:g}" {anchored}font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}">{escape(content)}</text>'
    )


def write_picture(path: Path, content: str) -> None:
    """Write an SVG to ``path``.

    Raises:
        UsageError: it cannot be written.
    """
    require_regular(path)
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", "Check the path."
        ) from error
