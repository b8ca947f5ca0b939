"""What is asked of the analysts' views here: the demo's questions, and queries by their words.

docs/analytics.md works out more questions. Only views of schema analytics are read.
"""

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import analysts
from gpt4rec_es.db.rows.analysts import QUESTIONS, FoundQuery, answer

__all__ = ["QUESTIONS", "FoundQuery", "answer", "find_queries"]


def find_queries(engine: Engine, words: str, limit: int = 20) -> list[FoundQuery]:
    """Return the queries that have all ``words``, those of the most users first.

    words: as in a web search: "red lamp" in quotes is a phrase, ``or`` and ``-word`` work.
    """
    with transaction(engine) as connection:
        return analysts.find_queries(connection, words, limit)
