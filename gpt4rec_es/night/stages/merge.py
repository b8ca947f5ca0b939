"""The merge stage: users' lists from stored hits, with deeper searches where needed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows.lists import UserInput, UserOutcome, load_inputs, store_lists
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.stages.hits import HitSource, RunHits, SearchKey
from gpt4rec_es.night.stages.leases import Lease, Work
from gpt4rec_es.night.stages.load_merge_inputs import load_merge_inputs
from gpt4rec_es.night.stages.merge_inputs import MergeInputs, used_inputs
from gpt4rec_es.options.holdback import NOTHING, POPULARITY
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.ranking.outcome import Merge, Pick, decide_outcome
from gpt4rec_es.ranking.rules import ItemRules
from gpt4rec_es.ranking.vectors import ItemVectors
from gpt4rec_es.records import Outcome, Source


def merge_shard(
    engine: Engine,
    run: Run,
    lease: Lease,
    retriever: Retriever,
    rules: ItemRules | None,
    items: ItemVectors | None = None,
) -> Work:
    """Merge the lists of the shard's users with the run's ``rules``; return the work.

    items: the run's item vectors; None: it has no re-ranker.

    It counts users by outcome, listed items by source, deeper searches, and items removed by each
    rule.
    """
    hits = RunHits(engine, run, retriever)
    members = lease.shard.members
    merged = merge_users(engine, run, members, hits, rules, lease.check, items=items)

    def store(connection: Connection) -> int:
        return store_lists(connection, run.run_no, merged.outcomes, merged.rows())

    counts = {"searches": hits.searched, **_count(merged.outcomes)}
    counts |= {f"listed:{source.value}": n for source, n in merged.count_listed().items()}
    counts |= {f"removed:{rule}": n for rule, n in merged.count_removed().items()}
    return Work(store, counts | merged.count_promoted() | merged.count_left_out())


def merge_users(
    engine: Engine,
    run: Run,
    user_nos: Sequence[int],
    hits: RunHits,
    rules: ItemRules | None,
    check: Callable[[], None],
    *,
    items: ItemVectors | None = None,
) -> "MergedUsers":
    """Merge these cohort users by the run's manifest; return their outcomes and lists.

    Of a generation, the manifest's number of queries is used; a night generates no more. rules: the
    run's rules, see ``load_item_rules``. check: called before each round of searches; it may raise
    to stop. items: the run's item vectors, if they are loaded already.
    """

    def load(connection: Connection) -> tuple[list[UserInput], MergeInputs]:
        return (
            load_inputs(connection, run, user_nos),
            load_merge_inputs(connection, run, user_nos, rules, items),
        )

    inputs, merge_inputs = retrying(engine, load)
    return MergedUsers(used_inputs(run, inputs), hits, merge_inputs, check)


class MergedUsers:
    """Merges of users, with deeper searches until all lists are final; ``outcomes`` in order."""

    def __init__(
        self,
        users: list[UserInput],
        hits: HitSource,
        merge_inputs: MergeInputs,
        check: Callable[[], None],
    ) -> None:
        self._users, self._hits, self._merge_inputs = users, hits, merge_inputs
        self._merges: dict[int, Merge] = {}
        first = {n for user in users for n in user.used_queries}
        titles = {n for user in users for n in merge_inputs.title_queries(user)}
        near = {n for user in users for n in merge_inputs.near_queries(user)}
        hits.load_first({*map(hits.query_key, first), *map(hits.title_key, titles)})
        hits.load_near(near)
        self.outcomes = self._merge_all(users, check)

    def _merge_all(self, users: list[UserInput], check: Callable[[], None]) -> list[UserOutcome]:
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

    def _failure(self, user: UserInput) -> str | None:
        """Return the failure of an earlier stage for this user; None: none failed."""
        if user.prompt_no is not None and user.query_nos is None:
            return "no queries could be generated for the prompt"
        missing = [n for n in user.used_queries if self._hits.of_query(n) is None]
        return f"query {missing[0]} could not be searched" if missing else None

    def _round(self, users: list[UserInput]) -> list[UserInput]:
        """Merge these users; fetch missing hits and return the users to merge again."""
        again: list[UserInput] = []
        hits = self._hits
        deeper: set[SearchKey] = set()
        last_titles: set[SearchKey] = set()
        for user in users:
            merge = self._merge_inputs.merge(user, hits)
            if merge.is_complete and not self._lacks_last_title(user, merge):
                self._merges[user.user_no] = merge
                continue
            again.append(user)
            numbers = user.query_nos or ()
            deeper.update(hits.query_key(numbers[rank - 1]) for rank in merge.needs_deeper)
            titles = (self._merge_inputs.titles[item] for item in merge.needs_deeper_titles)
            deeper.update(map(hits.title_key, titles))
            if merge.needs_deeper_last_title and user.last_query_no is not None:
                deeper.add(hits.title_key(user.last_query_no))
            if merge.is_complete and user.last_query_no is not None:
                last_titles.add(hits.title_key(user.last_query_no))
        if deeper:
            hits.fetch_deeper(deeper)
        if last_titles:
            hits.fetch(last_titles)
        return again

    def _lacks_last_title(self, user: UserInput, merge: Merge) -> bool:
        """Return whether the list is short and the newest title was not searched yet."""
        return (
            merge.n_found + merge.n_pinned < self._merge_inputs.k
            and user.last_query_no is not None
            and self._hits.of_title(user.last_query_no) is None
        )

    def _outcome(self, user: UserInput) -> UserOutcome:
        merge = self._merges[user.user_no]
        if user.arm in {POPULARITY, NOTHING}:
            return UserOutcome(user.user_no, Outcome.HELD_BACK, n_recommended=len(merge.picks))
        used = user.used_queries
        is_filtered = bool(user.removed) and not used and merge.short_reason is not None
        outcome = decide_outcome(
            merge, n_bought=user.n_bought, has_prompt=user.prompt_no is not None
        )
        if outcome is Outcome.NO_TITLES and user.last_query_no is not None:
            # There are titles, but no generator that would have written a prompt from them.
            outcome = Outcome.NO_HITS
        return UserOutcome(
            user.user_no,
            outcome,
            len(used),
            merge.n_found,
            len(merge.picks),
            merge.n_pinned,
            "filtered_queries" if is_filtered else merge.short_reason,
        )

    @property
    def merges(self) -> Mapping[int, Merge]:
        """Merges by user number, without users whose outcome is ``FAILED``."""
        return self._merges

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield the recommendation rows of all merged users, in order of user and rank."""
        for user in self._users:
            merge = self._merges.get(user.user_no)
            if merge is None:
                continue
            for rank, pick in enumerate(merge.picks, start=1):
                item_no, source, *reason = pick
                yield (
                    user.user_no,
                    rank,
                    item_no,
                    source.value,
                    self._query_no(user, pick),
                    *reason,
                    merge.promoted.get(item_no),
                )

    def count_listed(self) -> Counter[Source]:
        """Return source -> number of listed items."""
        return Counter(pick.source for merge in self._merges.values() for pick in merge.picks)

    def count_promoted(self) -> Counter[str]:
        """Return ``pinned`` or ``boosted``, a colon and the rule -> number of listed items."""
        return Counter(
            f"{'pinned' if pick.source is Source.PINNED else 'boosted'}:{rule}"
            for merge in self._merges.values()
            if merge.promoted
            for pick in merge.picks
            if (rule := merge.promoted.get(pick.item_no))
        )

    def count_left_out(self) -> Counter[str]:
        """Return ``unpinned``, a colon, a pin and the cause -> number of places that it lacks."""
        left_out = (one for merge in self._merges.values() for one in merge.left_out)
        return Counter(f"unpinned:{one.rule}, {one.cause}" for one in left_out)

    def count_removed(self) -> Counter[str]:
        """Return rule -> number of (user, item) pairs that it removed."""
        return Counter(rule for merge in self._merges.values() for rule in merge.ruled_out.values())

    def _query_no(self, user: UserInput, pick: Pick) -> int | None:
        """Return the number of the query that found an item; None: no query did."""
        if pick.query_rank is not None:
            return (user.query_nos or ())[pick.query_rank - 1]
        source, from_item_no = pick.source, pick.from_item_no
        of_titles = {Source.HISTORY_TITLES, Source.TITLE_VECTORS}
        if source in of_titles and from_item_no is not None:
            return self._merge_inputs.titles[from_item_no]
        return user.last_query_no if source is Source.LAST_TITLE else None


def failed_user(run: Run, user_no: int, error: str) -> Work:
    """Return the work that stores outcome failed for one user."""
    outcome = UserOutcome(user_no, Outcome.FAILED, error=error)

    def store(connection: Connection) -> int:
        return store_lists(connection, run.run_no, [outcome], [])

    return Work(store, _count([outcome]))


def _count(outcomes: Sequence[UserOutcome]) -> Counter[str]:
    return Counter(f"users:{one.outcome.value}" for one in outcomes)
