"""The register of exported files."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A registered export: the ``host`` on which it was written, its path and format.

    is_complete: whether the export ended; else a partial file may be left.
    """

    host: str
    path: str
    fmt: str
    is_complete: bool = False


def register_export(connection: Connection, file: ExportedFile, *, is_written: bool = True) -> None:
    """Register a file that is about to be written or replaced.

    is_written: False: its content is only being made; a file that is there already stays known.
    """
    connection.execute(
        text("""
        INSERT INTO exports AS e (host, path, format, exported_at)
        VALUES (:host, :path, :format, CASE WHEN :is_written THEN clock_timestamp() END)
        ON CONFLICT (host, path) DO UPDATE SET format = excluded.format,
            exported_at = coalesce(excluded.exported_at, e.exported_at), finished_at = NULL
        """),
        {"host": file.host, "path": file.path, "format": file.fmt, "is_written": is_written},
    )


def finish_export(connection: Connection, file: ExportedFile) -> None:
    """Record that a registered file is complete."""
    connection.execute(
        text(
            "UPDATE exports SET finished_at = clock_timestamp() WHERE host = :host AND path = :path"
        ),
        {"host": file.host, "path": file.path},
    )


def exports_of_host(connection: Connection, host: str) -> list[str]:
    """Return the paths of all files registered on ``host``."""
    found = connection.execute(text("SELECT path FROM exports WHERE host = :host"), {"host": host})
    return list(found.scalars())


def unacknowledged_erasures(connection: Connection) -> int:
    """Return how many erasures with exported files were not followed by an acknowledgement."""
    found = connection.execute(
        text("""
        SELECT count(*) FILTER (WHERE action = 'forget'
                                  AND jsonb_array_length(after -> 'files') > 0)
               - count(*) FILTER (WHERE action = 'acknowledge files')
        FROM audit WHERE action IN ('forget', 'acknowledge files')
        """)
    )
    return int(found.scalar_one())


def exports_since(connection: Connection, time: dt.datetime) -> list[ExportedFile]:
    """Return the files that were written at or after ``time``, by host and path."""
    found = connection.execute(
        text(
            "SELECT host, path, format, finished_at IS NOT NULL AS is_complete FROM exports "
            "WHERE exported_at >= :time ORDER BY 1, 2"
        ),
        {"time": time},
    )
    return [ExportedFile(*row) for row in found]


def has_export(connection: Connection, path: str) -> bool:
    """Return whether a complete file is registered by this path, on any machine."""
    found = connection.execute(
        text("SELECT EXISTS (SELECT FROM exports WHERE path = :path AND finished_at IS NOT NULL)"),
        {"path": path},
    )
    return bool(found.scalar_one())


def incomplete_page(connection: Connection, run_id: str) -> str | None:
    """Return the place, as host:path, of a run's page that is not complete; None: there is none."""
    found = connection.execute(
        text("""
        SELECT host || ':' || path FROM exports
        WHERE format = 'html' AND finished_at IS NULL AND right(path, length(:name)) = :name
        ORDER BY export_no DESC LIMIT 1
        """),
        {"name": f"/{run_id}.html"},
    )
    return found.scalar_one_or_none()
