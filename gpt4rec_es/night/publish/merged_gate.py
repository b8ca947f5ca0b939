"""Merge the lists of some users again, from what the stages stored, and compare them."""

from collections.abc import Mapping

from gpt4rec_es.db.rows.stored_lists import load_sampled_lists
from gpt4rec_es.night.inputs.item_vectors import load_run_items
from gpt4rec_es.night.inputs.near import open_searches
from gpt4rec_es.night.inputs.rules import load_item_rules
from gpt4rec_es.night.publish.checked import Checked, Verdict
from gpt4rec_es.night.stages.hits import RunHits
from gpt4rec_es.night.stages.merge import merge_users
from gpt4rec_es.ranking.outcome import Merge
from gpt4rec_es.version import code_version

# Users whose lists are merged again: damage to 3 % of all lists is missed in 1 of 400 nights.
_USERS = 200


def lists_are_merged_again(checked: Checked) -> Verdict:
    """Check that the stored hits, histories and rules make the stored lists, rank by rank.

    Of 200 users, chosen by a hash; users whose outcome is failed have no list to compare.
    """
    run = checked.run
    stored = load_sampled_lists(checked.connection, run, _USERS)
    try:
        merged = _merge(checked, list(stored))
    except ValueError as error:  # stored vectors that are damaged
        return Verdict(False, f"the lists cannot be merged again: {error}", "none that differs")
    # Users whose queries or hits are gone cannot be merged.
    differing = {
        user_no
        for user_no, items in stored.items()
        if user_no not in merged or [pick.item_no for pick in merged[user_no].picks] != items
    }
    if differing:  # users that were erased meanwhile have no list
        differing &= load_sampled_lists(checked.connection, run, _USERS).keys()
    return Verdict(
        not differing,
        f"of {len(stored)} lists that were merged again, {len(differing)} differ",
        "none that differs",
        # Other code may merge differently.
        is_blocking=run.code_version == code_version(),
    )


def _merge(checked: Checked, user_nos: list[int]) -> Mapping[int, Merge]:
    run, connection, parts = checked.run, checked.connection, checked.parts
    hits = RunHits(parts.engine, run, open_searches(parts, run))
    rules, items = load_item_rules(connection, run), load_run_items(connection, run)
    return merge_users(
        parts.engine, run, user_nos, hits, rules, check=lambda: None, items=items
    ).merges
