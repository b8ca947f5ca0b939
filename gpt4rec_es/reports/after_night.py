"""The pages written after a night was published: that of the night, and that of all nights.

A page is never a reason to undo a publication: what goes wrong is logged, and `runs status` names a
page that was not completed.
"""

import logging
from pathlib import Path

from sqlalchemy import Engine

from gpt4rec_es.db.rows.exports import has_export
from gpt4rec_es.errors import first_line
from gpt4rec_es.options.item_pictures import ItemPictures
from gpt4rec_es.reports.write import Desk, Written, night_path, write_index, write_night

log = logging.getLogger(__name__)


def write_after_night(
    reader: Engine,
    register: Engine,
    folder: Path | None,
    run_id: str,
    state: str,
    *,
    pictures: ItemPictures | None = None,
    again: bool = True,
) -> Written | None:
    """Write the pages of a published night into ``folder``; return that of the night.

    None: no folder, the run is not published, or its page could not be completed. pictures: of
    items, None: without. again: also if it is there; several workers end a night, and one of them
    writes.
    """
    if folder is None or state != "published":
        return None
    desk = Desk(reader, folder, register, pictures)
    try:
        with register.connect() as connection:
            if not again and has_export(connection, night_path(desk, run_id)):
                return None
        found = write_night(desk, run_id)
        write_index(desk)
    except Exception as error:  # the night is published, whatever is wrong with its page
        log.warning("the page of %s was not completed: %s", run_id, first_line(error))
        return None
    log.info("the page of %s is %s", run_id, found.path)
    return found
