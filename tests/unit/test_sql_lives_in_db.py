"""SQL is only in gpt4rec_es/db."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DB = ROOT / "gpt4rec_es" / "db"
EXEMPT = {
    # Creates roles and databases of a local server, before db/ can connect to a database.
    "gpt4rec_es/stack/roles.py",
}
# Types that other layers pass on; everything else builds or reads statements.
PASSED_ON = {"Connection", "Engine"}
RUNS = {"execute", "exec_driver_sql", "scalar", "scalars", "mappings", "copy_expert"}
STATEMENT = re.compile(
    r"""\s*(
        SELECT\s | INSERT\s+INTO\s | UPDATE\s+\S+(\s+AS\s+\w+)?\s+SET\s | DELETE\s+FROM\s
        | WITH\s+\w+\s+AS\s | (CREATE|ALTER|DROP)\s+(TEMP\s+|UNIQUE\s+|OR\s+REPLACE\s+)*
          (TABLE|INDEX|VIEW|SCHEMA|ROLE|DATABASE|FUNCTION|SEQUENCE|EXTENSION)\s
        | SET\s+(LOCAL|SESSION)\s | (RE)?SET\s+\w*(timeout|_mem|search_path)\b
        | ANALYZE\s+\w | TRUNCATE\s+\w | LOCK\s+TABLE\s | COPY\s+\S+\s+(FROM|TO|\()
        | (FROM|WHERE|JOIN|ORDER\s+BY|GROUP\s+BY)\s+\w
    )""",
    re.VERBOSE,
)


def modules() -> list[str]:
    found = [path for top in ("gpt4rec_es", "workers") for path in (ROOT / top).rglob("*.py")]
    names = {str(path.relative_to(ROOT)) for path in found if not path.is_relative_to(DB)}
    return sorted(names - EXEMPT)


def sql_of(tree: ast.AST) -> Iterator[str]:
    """Yield the places in a module that build, run or contain SQL, with their line."""
    docstrings = {id(text) for node in ast.walk(tree) for text in docstring_of(node)}
    for node in ast.walk(tree):
        if id(node) in docstrings:
            continue
        for found in (*imported(node), *run(node), *written(node)):
            yield f"line {getattr(node, 'lineno', '?')}: {found}"


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [f"imports {alias.name}" for alias in node.names if is_driver(alias.name)]
    if not isinstance(node, ast.ImportFrom) or not node.module:
        return []
    if node.module == "sqlalchemy":
        names = {alias.name for alias in node.names} - PASSED_ON
        return [f"imports {name}" for name in sorted(names)]
    return [f"imports from {node.module}"] if is_driver(node.module) else []


def is_driver(module: str) -> bool:
    top = module.partition(".")[0]
    return top in {"sqlalchemy", "psycopg2"} and module != "sqlalchemy.exc"


def run(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return [f"calls .{node.func.attr}()"] if node.func.attr in RUNS else []
    return []


def written(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [repr(node.value.strip()[:60])] if STATEMENT.match(node.value) else []
    return []


def docstring_of(node: ast.AST) -> Iterator[ast.Constant]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            yield first.value


def sql_in(name: str) -> list[str]:
    return list(sql_of(ast.parse((ROOT / name).read_text(encoding="utf-8"), name)))


def test_sql_lives_in_db() -> None:
    found = {name: sql for name in modules() if (sql := sql_in(name))}
    assert not found, "\n".join(f"{name}: {line}" for name, sql in found.items() for line in sql)


@pytest.mark.parametrize(
    "code",
    [
        "from sqlalchemy import Connection, text",
        "from sqlalchemy.dialects.postgresql import insert",
        "import psycopg2",
        "connection.execute(statement)",
        "session.scalar(statement)",
        "x = 'SELECT 1'",
        "x = '''\n  WITH a AS (SELECT 1) SELECT'''",
        "x = f'DELETE FROM {table}'",
        "x = 'SET LOCAL statement_timeout = 0'",
        "x = 'UPDATE runs AS r SET state = 1'",
        "x = 'CREATE UNIQUE INDEX ON runs (run_no)'",
        "x = 'WHERE run_no = 1'",
    ],
)
def test_sql_is_recognised(code: str) -> None:
    assert list(sql_of(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "from sqlalchemy import Connection, Engine",
        "from sqlalchemy.exc import DBAPIError",
        "x = 'Select a run, or set one.'",
        "x = 'GRANT gpt4rec_writer TO me as the owner.'",
        "def f():\n    '''SELECT is what this does not do.'''",
        "x = 'UPDATE is not allowed'",
    ],
)
def test_words_for_people_are_none(code: str) -> None:
    assert not list(sql_of(ast.parse(code)))
