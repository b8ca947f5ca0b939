"""Decides what became of a user; the one place where a merge gets its outcome.

``Outcome.FAILED`` is not decided here: there is no merge then.
"""

from gpt4rec_es.ranking.merge import Merge
from gpt4rec_es.records import Outcome


def decide_outcome(merge: Merge, *, n_bought: int, has_prompt: bool) -> Outcome:
    """Return the outcome of a user with ``n_bought`` purchases whose lists became ``merge``.

    ``has_prompt`` False: none of the bought items has a usable title.

    Raises:
        ValueError: the merge is not complete, so nothing is decided yet.
    """
    if not merge.is_complete:
        raise ValueError("an incomplete merge has no outcome: search deeper first")
    if not n_bought:
        return Outcome.NO_HISTORY
    if merge.n_found:  # also without a prompt: other sources need no titles
        return Outcome.OK
    if not has_prompt:
        return Outcome.NO_TITLES
    # A generation without any query had nothing left of its text either.
    return Outcome.NO_HITS if merge.n_queries else Outcome.EMPTY_QUERY
