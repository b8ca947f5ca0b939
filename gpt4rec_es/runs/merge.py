"""The merge stage: users' lists from stored hits, topped up where a user needs deeper ones."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.lists import (
    MergeInput,
    UserOutcome,
    load_bought,
    load_inputs,
    load_popular,
    store_lists,
)
from gpt4rec_es.db.runs import Run
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.ranking.merge import Merge, QueryHits, merge_hits
from gpt4rec_es.ranking.outcome import decide_outcome
from gpt4rec_es.records import Outcome
from gpt4rec_es.runs.hits import Hits
from gpt4rec_es.runs.ledger import Lease, Work

_NOTHING: frozenset[int] = frozenset()


def merge_shard(engine: Engine, run: Run, lease: Lease, retriever: Retriever) -> Work:
    """Make the lists of the shard's users; return the work.

    Counted are the users by outcome, and the top-up searches.
    """
    hits = Hits(engine, run, retriever)
    merged = merge_users(engine, run, lease.shard.members, hits, lease.check)

    def store(connection: Connection) -> int:
        return store_lists(connection, run.run_no, merged.outcomes, merged.rows())

    return Work(store, {"searches": hits.searched, **_count(merged.outcomes)})


def merge_users(
    engine: Engine, run: Run, user_nos: Sequence[int], hits: Hits, check: Callable[[], None]
) -> "MergedUsers":
    """Return what becomes of these cohort users, merged as the run's manifest says.

    A generation is used up to the manifest's number of queries, which are all that a night has.
    check: called before each round of searches; it may raise to stop.
    """

    def load(
        connection: Connection,
    ) -> tuple[list[MergeInput], dict[int, frozenset[int]], list[int]]:
        inputs = load_inputs(connection, run, user_nos)
        bought = load_bought(connection, run, user_nos)
        depth = run.k + max((len(items) for items in bought.values()), default=0)
        return inputs, bought, load_popular(connection, run, depth)

    inputs, bought, popular = retrying(engine, load)
    if not run.manifest["exclude_bought"]:
        bought = {}
    most = run.manifest["decoding"]["num_queries"]
    users = [
        user if user.query_nos is None else replace(user, query_nos=user.query_nos[:most])
        for user in inputs
    ]
    hits.load_first({n for user in users for n in user.query_nos or ()})
    return MergedUsers(run, users, hits, bought, popular, check)


def merge_user(
    run: Run,
    user: MergeInput,
    hits: Hits,
    bought: frozenset[int],
    popular: list[int],
    *,
    keep_removed: bool = False,
) -> Merge:
    """Return one user's merge from the hits known so far; it may ask for deeper ones."""
    queries = [
        QueryHits(rank, result)
        for rank, number in enumerate(user.query_nos or (), start=1)
        if (result := hits.get(number)) is not None
    ]
    last = None if user.last_query_no is None else hits.get(user.last_query_no)
    return merge_hits(
        queries, run.k, bought, last_title=last, popular=popular, keep_removed=keep_removed
    )


class MergedUsers:
    """Users merged by asking for deeper hits until every list is final; ``outcomes`` in order."""

    def __init__(
        self,
        run: Run,
        users: list[MergeInput],
        hits: Hits,
        bought: dict[int, frozenset[int]],
        popular: list[int],
        check: Callable[[], None],
    ) -> None:
        self._run, self._hits, self._bought, self._popular = run, hits, bought, popular
        self._users = users
        self._merges: dict[int, Merge] = {}
        self.outcomes = self._merge_all(users, check)

    def _merge_all(self, users: list[MergeInput], check: Callable[[], None]) -> list[UserOutcome]:
        failed = {user.user_no: error for user in users if (error := self._failure(user))}
        pending = [user for user in users if user.user_no not in failed]
        while pending:
            check()
            pending = self._round(pending)
        return [
            UserOutcome(user.user_no, Outcome.FAILED, error=failed[user.user_no])
            if user.user_no in failed
            else self._outcome(user)
            for user in users
        ]

    def _failure(self, user: MergeInput) -> str | None:
        """Say what an earlier stage gave up on for this user, if anything."""
        if user.prompt_no is not None and user.query_nos is None:
            return "no queries could be generated for the prompt"
        missing = [n for n in user.query_nos or () if self._hits.get(n) is None]
        return f"query {missing[0]} could not be searched" if missing else None

    def _round(self, users: list[MergeInput]) -> list[MergeInput]:
        """Merge these users; fetch what is lacking and return those that must be merged again."""
        again: list[MergeInput] = []
        deeper: set[int] = set()
        last_titles: set[int] = set()
        for user in users:
            bought = self._bought.get(user.user_no, _NOTHING)
            merge = merge_user(self._run, user, self._hits, bought, self._popular)
            if merge.is_complete and not self._lacks_last_title(user, merge):
                self._merges[user.user_no] = merge
                continue
            again.append(user)
            numbers = user.query_nos or ()
            deeper.update(numbers[rank - 1] for rank in merge.needs_deeper)
            if merge.needs_deeper_last_title and user.last_query_no is not None:
                deeper.add(user.last_query_no)
            if merge.is_complete and user.last_query_no is not None:
                last_titles.add(user.last_query_no)
        if deeper:
            self._hits.deepen(deeper)
        if last_titles:
            self._hits.fetch(sorted(last_titles))
        return again

    def _lacks_last_title(self, user: MergeInput, merge: Merge) -> bool:
        """Whether the list is short and the newest title was not searched for yet."""
        return (
            merge.n_found < self._run.k
            and user.last_query_no is not None
            and self._hits.get(user.last_query_no) is None
        )

    def _outcome(self, user: MergeInput) -> UserOutcome:
        merge = self._merges[user.user_no]
        return UserOutcome(
            user.user_no,
            decide_outcome(merge, n_bought=user.n_bought, has_prompt=user.prompt_no is not None),
            len(user.query_nos or ()),
            merge.n_found,
            len(merge.picks),
            merge.short_reason,
        )

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield the recommendation rows of all merged users, in order of user and rank."""
        for user in self._users:
            merge = self._merges.get(user.user_no)
            if merge is None:
                continue
            numbers = user.query_nos or ()
            for rank, (item_no, source, query_rank, hit_rank, score) in enumerate(
                merge.picks, start=1
            ):
                if query_rank is not None:
                    query_no: int | None = numbers[query_rank - 1]
                else:
                    query_no = user.last_query_no if hit_rank is not None else None
                yield (
                    user.user_no,
                    rank,
                    item_no,
                    source.value,
                    query_no,
                    query_rank,
                    hit_rank,
                    score,
                )


def failed_user(run: Run, user_no: int, error: str) -> Work:
    """Return the work of storing that one user could not be merged."""
    outcome = UserOutcome(user_no, Outcome.FAILED, error=error)

    def store(connection: Connection) -> int:
        return store_lists(connection, run.run_no, [outcome], [])

    return Work(store, _count([outcome]))


def _count(outcomes: Sequence[UserOutcome]) -> Counter[str]:
    return Counter(f"users:{one.outcome.value}" for one in outcomes)
