"""Rows for tests, inserted by SQL so that they do not depend on the tested code."""

from sqlalchemy import Connection, text


def add_build(connection: Connection, build_no: int = 1, index_name: str = "items-test") -> None:
    connection.execute(
        text("""
        INSERT INTO builds (build_no, index_name, alias, kind, state, catalog_version, k1, b,
                            mapping_hash, actor)
        OVERRIDING SYSTEM VALUE
        VALUES (:no, :name, 'items', 'full', 'ready', 0, 1.2, 0.75, 'x', 'test')
        """),
        {"no": build_no, "name": index_name},
    )


def add_run(
    connection: Connection, run_no: int = 1, state: str = "merging", date: str = "2026-11-22"
) -> None:
    """Insert a run with the build, generator and decoding it needs, and its partitions."""
    if not connection.execute(text("SELECT count(*) FROM builds")).scalar_one():
        add_build(connection)
        connection.execute(
            text(
                "INSERT INTO generators (name, kind, content_hash, card) "
                "VALUES ('t', 'titles', 'h', '{}')"
            )
        )
        connection.execute(
            text("INSERT INTO decodings (settings_hash, settings) VALUES ('\\x00', '{}')")
        )
    connection.execute(
        text("""
        INSERT INTO runs (run_no, run_id, kind, logical_date, attempt, state, manifest,
            manifest_hash, build_no, generator_no, decoding_no, k, depth, history_version,
            cohort_size, code_version, actor)
        OVERRIDING SYSTEM VALUE
        SELECT :no, 'nightly-' || :date || '-' || :no, 'nightly', cast(:date AS date), :no, :state,
            '{}', '\\x00', 1, (SELECT min(generator_no) FROM generators),
            (SELECT min(decoding_no) FROM decodings), 10, 50, 0, 0, 'x', 'test'
        """),
        {"no": run_no, "state": state, "date": date},
    )
    connection.execute(text("SELECT create_run_partitions(:no)"), {"no": run_no})
