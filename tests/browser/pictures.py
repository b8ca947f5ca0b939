"""Writes the pictures of README from a page: its first screen, and the first card of a user."""

import os
import sys
from pathlib import Path

from gpt4rec_es.stack import default_options
from tests.browser.chromium import Chromium
from tests.browser.obtain import obtain

_FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
_WIDTH = 1180


def main(page_file: str) -> None:
    """Write docs/pictures/night.png and docs/pictures/user.png from a page of a night."""
    _FOLDER.mkdir(exist_ok=True)
    with Chromium(obtain(default_options(os.environ).cache, announce=True)) as browser:
        page = browser.open(Path(page_file))
        page.look(_WIDTH)
        below = page.evaluate("document.querySelector('[data-table=queries]').offsetHeight")
        top = page.evaluate(_TOP.format("#demand"))
        (_FOLDER / "night.png").write_bytes(page.picture(0, round(top + min(below, 420))))
        top = page.evaluate(_TOP.format("#users"))
        card = page.evaluate("document.querySelector('[data-user]').offsetHeight")
        page.look(_WIDTH, dark=True)
        (_FOLDER / "user.png").write_bytes(page.picture(round(top - 20), round(card + 130)))


_TOP = "document.querySelector('{}').getBoundingClientRect().top + scrollY"

if __name__ == "__main__":
    main(sys.argv[1])
