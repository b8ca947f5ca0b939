"""Gates: checks that a run must pass before it is published, the most important first.

A gate that can judge a part of a run looks only at the users that have outcomes. docs/operations.md
has the remedy of each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from gpt4rec_es.db.engine import disable_statement_timeout
from gpt4rec_es.db.rows import first_queries, measures
from gpt4rec_es.db.rows import gates as gate_rows
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.first_queries import FirstQueries
from gpt4rec_es.db.rows.gates import GateResult
from gpt4rec_es.db.rows.measures import Measured
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inputs.manifest import differing_inputs
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.publish import (
    change_gates,
    hidden_purchases,
    index_gates,
    list_gates,
    merged_gate,
    share_gates,
)
from gpt4rec_es.night.publish.checked import Checked, Verdict
from gpt4rec_es.night.publish.measures import measure
from gpt4rec_es.options.gates import MIN_USUAL_NIGHTS, USUAL_NIGHTS

# Nights that are searched for those by the same recipe, generator and rules.
_LOOKED_AT = 28


@dataclass(frozen=True, slots=True)
class Gate:
    """A check of a run, see ``Verdict``.

    reason: what a run that does not pass probably suffers from. judges_parts: whether it can judge
    the part of a run that is merged. compares: what it compares with the published run; after one
    whose inputs this gate refused, or whose lists any gate refused, and that an operator published,
    it only measures, because a good night differs from a bad one.
    """

    check: Callable[[Checked], Verdict]
    reason: str
    judges_parts: bool = True
    compares: Literal["inputs", "lists"] | None = None

    @property
    def name(self) -> str:
        """The name of the gate: that of its function."""
        return self.check.__name__


class Examination(NamedTuple):
    """Results of all gates, the most important first, and what was measured for them."""

    results: list[GateResult]
    measures: dict[str, Measured]
    firsts: FirstQueries

    @property
    def refused(self) -> list[GateResult]:
        """The failed gates that refuse the run."""
        return [result for result in self.results if result.refuses]


# The most important first: what readers would notice at once, then what is less sure.
GATES: tuple[Gate, ...] = (
    Gate(
        list_gates.every_user_has_one_outcome,
        "rows were lost or changed after the merge",
        judges_parts=False,
    ),
    Gate(list_gates.few_users_failed, "a stage gave users up; the log names the error"),
    Gate(
        list_gates.items_exist_and_are_active,
        "lists have items that customers cannot buy, or there is no list at all",
    ),
    Gate(
        list_gates.bought_items_are_left_out,
        "lists belong to other users, or purchases were not read",
    ),
    Gate(
        merged_gate.lists_are_merged_again,
        "rows were changed after the merge, or what lists are made of was: hits, histories, rules",
    ),
    Gate(list_gates.rules_are_kept, "rules were not applied to some list"),
    Gate(
        list_gates.scores_are_numbers,
        "weights of the generator or re-ranker are damaged, or coefficients overflow",
    ),
    Gate(
        share_gates.few_fallbacks,
        "the generator writes nothing that the index has, or the index, the catalog or the rules "
        "leave nothing to recommend",
    ),
    Gate(list_gates.lists_are_full, "queries, depth or rules leave too few items for full lists"),
    Gate(
        share_gates.lists_differ,
        "the generator ignores its prompt, or one item outranks all others",
    ),
    Gate(
        share_gates.queries_are_readable,
        "the generator has damaged weights, another tokenizer, or learned another catalog",
    ),
    Gate(
        share_gates.every_source_took_part,
        "a source of the recipe has no effect: its coefficients are 0, or it found nothing",
    ),
    Gate(
        list_gates.re_ranker_took_part,
        "the re-ranker is damaged, returns constants, or was not used",
    ),
    Gate(
        change_gates.lists_resemble_the_published,
        "lists belong to other users or items, or purchases since were not read",
        compares="lists",
    ),
    Gate(
        hidden_purchases.hidden_purchases_are_found,
        "the generator, the recipe or the index makes worse lists than the published ones",
        judges_parts=False,
    ),
    Gate(
        change_gates.cohort_did_not_shrink,
        "users or their purchases are gone, or titles of bought items",
        judges_parts=False,
        compares="inputs",
    ),
    Gate(
        change_gates.catalog_did_not_shrink,
        "the item feed was truncated, marks items as inactive, or has prices in another unit",
        compares="inputs",
    ),
    Gate(index_gates.build_is_unchanged, "the index was changed after planning"),
    Gate(
        index_gates.build_has_the_catalog,
        "the index is stale, has lost documents, or has documents of other items",
    ),
    Gate(
        list_gates.clock_is_right,
        "the date of the night may be wrong: the planner's clock is",
    ),
    Gate(
        list_gates.is_newer_than_published,
        "a night of a later date is published, perhaps with a wrong date",
    ),
)
# Gates for the users of a run that are merged so far.
PART_GATES = tuple(gate for gate in GATES if gate.judges_parts)


def check(
    parts: NightParts, connection: Connection, run: Run, gates: Sequence[Gate] | None = None
) -> Examination:
    """Return the results of ``gates``, also after a failed one; nothing is stored.

    None: of all, or of ``PART_GATES`` while the run serves only its canary.
    """
    if gates is None:
        gates = PART_GATES if run.is_canary else GATES
    disable_statement_timeout(connection)
    before = _before(connection, run)
    nights = nights_alike(connection, run)
    checked = Checked(
        parts,
        connection,
        run,
        before,
        measures=measures.load(connection, run.run_no),
        usual=measures.load_usual(connection, nights, MIN_USUAL_NIGHTS),
        nights_alike=len(nights),
        earlier={} if before is None else measures.load(connection, before.run_no),
        forced=frozenset() if before is None else _forced(connection, before),
    )
    firsts = first_queries.count(connection, run)
    measure(checked, firsts)
    results = [_judge(gate, checked) for gate in gates]
    return Examination(results, checked.measures, firsts)


def nights_alike(connection: Connection, run: Run) -> list[int]:
    """Return the last nights of what operators decided for ``run``: recipe, generator, rules ...

    After such a decision other nights say nothing of what is usual.
    """
    earlier = measures.published_before(connection, run, _LOOKED_AT)
    alike = [number for number, manifest in earlier if not differing_inputs(manifest, run.manifest)]
    return alike[:USUAL_NIGHTS]


def _before(connection: Connection, run: Run) -> Run | None:
    """Return the run whose lists ``run`` would replace; None: there is none."""
    current = run_rows.published(connection, run.kind)
    if current == run.run_no:
        current = run_rows.published_before(connection, run.kind, run.run_no)
    return None if current is None else run_rows.load(connection, current)


def _forced(connection: Connection, run: Run) -> frozenset[str]:
    """Return the gates that refused what a published run has in it, not its time."""
    of_time = {list_gates.clock_is_right.__name__, list_gates.is_newer_than_published.__name__}
    refused = {one.gate for one in gate_rows.load(connection, run.run_no) if one.refuses}
    return frozenset(refused - of_time)


def _judge(gate: Gate, checked: Checked) -> GateResult:
    verdict = gate.check(checked)
    differs = bool(checked.forced) if gate.compares == "lists" else gate.name in checked.forced
    if gate.compares and differs and not verdict.passed:
        forced = "nothing, because the night before was published by force"
        verdict = Verdict(True, verdict.measured, forced)
    return GateResult(
        gate.name,
        verdict.passed,
        verdict.measured,
        verdict.required,
        GATES.index(gate) + 1,
        verdict.is_blocking,
        gate.reason,
    )
