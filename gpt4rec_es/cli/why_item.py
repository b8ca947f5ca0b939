"""Text of ``gpt4rec why USER --item ITEM``: the reason, then where the item was found."""

from typing import Any

from gpt4rec_es.cli.output import plural, print_line, print_table
from gpt4rec_es.cli.why_reasons import arm_note, fused_from, reason_of

_NOT = {
    "not_in_catalog": "the catalog has no item of this id",
    "no_list": "the user has no list in this run",
    "held_back": "the user's arm decides the list, not what was found",
    "bought": "the user bought it",
    "not_candidate": "hits that count found it, but it is not among the best {candidates_kept} "
    "of any source",
    "quota_ended": "the list was complete before its hits were reached",
    "displaced": "boosted items moved before it",
    "not_counted": "only hits that do not count found it",
    "no_title": "it has no title that can be searched for",
    "inactive": "it is not active",
}
_BY = {
    "queries": "query {query_rank} “{query}”",
    "history_titles": "the bought title “{title}”",
    "co_purchase": "buyers of “{title}”",
    "sequence": "this sequence, which ends with “{title}”",
    "query_vectors": "vectors near query {query_rank} “{query}”",
    "title_vectors": "vectors near the bought title “{title}”",
    "last_title": "fallback: the newest bought title",
    "popular": "fallback: popular items",
}


def print_item(data: dict[str, Any]) -> None:
    """Print the explanation of one item."""
    name = data["item_id"] + (f" “{data['title']}”" if data["title"] else "")
    print_line(f"User {data['user_id']} in run {data['run_id']}, item {name}")
    if data["arm"]:
        print_line(arm_note(data["arm"]))
    print_line(_answer(data))
    if fused := data["fused"]:
        print_line(f"Fused score {fused_from(fused)}")
    if data["found"]:
        rows = [
            [_by(one), one["hit_rank"], one["score"], one["used_hits"]] for one in data["found"]
        ]
        print_table(["found by", "hit", "score", "hits used"], rows, "Where it was found")
    _print_notes(data)


def _answer(data: dict[str, Any]) -> str:
    reason, fused, rule = data["reason"], data["fused"], data["rule"]
    if reason == "listed":
        why = f" ({rule['reason']})" if rule and rule["reason"] else ""
        return f"Listed at rank {data['rank']}: {reason_of(data['listed'])}{why}"
    if reason == "ruled_out":
        about = f": {rule['reason']}" if rule["reason"] else ""
        return f"Not listed: {rule['rule']} ({rule['kind']} {rule['value']}) excludes it{about}"
    if reason == "outranked":
        last = fused["last_score"]
        than = "" if last is None else f"; the last listed candidate has {last:.4g}"
        return (
            f"Not listed: place {fused['place']} of {plural(fused['candidates'], 'candidate')} "
            f"by fused score, {fused['fused_score']:.4g}{than}"
        )
    if reason == "not_found":
        return f"Not listed: nothing found it. {_depth(data)}"
    return f"Not listed: {_NOT[reason].format(**data)}"


def _depth(data: dict[str, Any]) -> str:
    if not data["searches"]:
        return "Nothing was searched for this user."
    known = data["known_hits"]
    if known is None:
        return "All hits of all its searches are known."
    return f"The first {plural(known, 'hit')} of each search are known; it may come after them."


def _by(one: dict[str, Any]) -> str:
    title = (one["from_item"] or {}).get("title")
    text = _BY[one["source"]].format(**one, title=title)
    return f"{text} (removed by a filter)" if one["is_filtered"] else text


def _print_notes(data: dict[str, Any]) -> None:
    if data["is_active"] is False and data["reason"] != "inactive":
        print_line("Note: the item is not active now.")
    if data["changed_since"]:
        print_line("Note: its catalog row changed after the index of this run was built.")
    if not data["equals_merge_now"]:
        print_line("Note: merging the stored hits again gives another list than the stored one.")
