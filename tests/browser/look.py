"""What is wrong with a page for people that look at it, measured in a browser."""

import re
from pathlib import Path

from tests.browser.chromium import Chromium

_MEASURE = Path(__file__).with_name("measure.js").read_text(encoding="utf-8")
WIDTHS = (1280, 360)


def faults(browser: Chromium, path: Path) -> list[str]:
    """Return what is wrong with the page at ``path``, in light and dark, wide and narrow, printed.

    Nothing may be wider than the screen, no text may be outside, invisible or over another, no
    chart may be empty, axe-core may find nothing serious, and the page can be printed.
    """
    page = browser.open(path)
    found = []
    for dark in (False, True):
        for width in WIDTHS:
            page.look(width, dark=dark)
            measured = page.evaluate(_MEASURE)
            where = f"{path.name} at {width} in {'dark' if dark else 'light'}"
            if measured["overflow"] > 0:
                found.append(f"{where}: {measured['overflow']} pixels too wide")
            for kind in ("outside", "invisible", "overlapping", "empty"):
                found += [f"{where}: {kind}: {one}" for one in measured[kind]]
            found += [f"{where}: a bar of no length" for bar in measured["bars"] if bar < 100]
            if measured["texts"] < 20:
                found.append(f"{where}: only {measured['texts']} texts")
        found += [f"{where}: {one}" for one in page.violations()]
    page.look(WIDTHS[0] // 2, printed=True)
    measured = page.evaluate(_MEASURE)
    found += [f"{path.name} on paper: overlapping: {one}" for one in measured["overlapping"]]
    printed = page.pdf()
    if not printed.startswith(b"%PDF") or not re.search(rb"/Type\s*/Page\b", printed):
        found.append(f"{path.name}: the printed page is no PDF")
    page.close()
    return found
