"""Replace checks of tables whose partitions hold the lists of many nights, without reading these.

A plain ADD CONSTRAINT reads every kept row while no reader and no writer may use the table. So a
revision replaces the check with ``replace_check``, which only reads the catalog, and the next one
validates it with ``validate_check``: each revision is a transaction of its own, and validating
locks out neither readers nor writers.
"""

PARTITIONED = ("run_users", "run_user_vectors", "user_outcomes", "recommendations")


def replace_check(table: str, name: str, condition: str) -> str:
    """Return the statement that replaces a check; it holds for new rows at once."""
    return (
        f"ALTER TABLE {table} DROP CONSTRAINT {name}, "
        f"ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID"
    )


def validate_check(table: str, name: str) -> str:
    """Return the statement for a later revision: it reads the rows of before."""
    return f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"
