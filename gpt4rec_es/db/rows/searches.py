"""Search options by number, and which searches a run lacks."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import settings_number

# The number of a search without options, which has no row.
NO_OPTIONS = 0


@dataclass(frozen=True, slots=True)
class Lacking:
    """Whether the run lacks the search of a query as a generated one, and as a bought title."""

    as_query: bool
    as_title: bool


def options_number(connection: Connection, options_hash: bytes, options: str) -> int:
    """Return the number of search options (canonical JSON), storing them if they are new."""
    names = ("search_options", "options_no", "options_hash", "options")
    return settings_number(connection, names, options_hash, options)


def lacking_searches(
    connection: Connection, run: Run, query_nos: Sequence[int]
) -> dict[int, Lacking]:
    """Return what the run lacks of these queries, which it uses, at its first depth."""
    found = connection.execute(
        text("""
        SELECT n.query_no,
            EXISTS (SELECT FROM generated_queries AS g WHERE g.query_no = n.query_no)
            AND NOT EXISTS (SELECT FROM searches AS s WHERE s.build_no = :build_no
                    AND s.query_no = n.query_no AND s.depth = :depth
                    AND s.options_no = :options_no) AS as_query,
            EXISTS (SELECT FROM run_titles AS t WHERE t.run_no = :run_no
                    AND t.query_no = n.query_no)
            AND NOT EXISTS (SELECT FROM searches AS s WHERE s.build_no = :build_no
                    AND s.query_no = n.query_no AND s.depth = :depth
                    AND s.options_no = 0) AS as_title
        FROM unnest(cast(:numbers AS bigint[])) AS n (query_no)
        """),
        {
            "build_no": run.build_no,
            "depth": run.depth,
            "options_no": run.search_options_no,
            "run_no": run.run_no,
            "numbers": list(query_nos),
        },
    )
    return {row.query_no: Lacking(row.as_query, row.as_title) for row in found}
