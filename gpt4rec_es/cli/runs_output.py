"""How ``gpt4rec runs`` prints what its use cases return; nothing is asked or computed here."""

import json
from datetime import timedelta
from typing import Any

from gpt4rec_es.cli.output import first_queries_line, plural, print_line, print_table


def row_of(run: Any, is_published: bool) -> dict[str, Any]:
    """Return what `runs list` shows of a run."""
    return {
        "run_id": run.run_id,
        "state": run.state,
        "is_published": is_published,
        "is_pinned": run.is_pinned,
        "pruned_at": run.pruned_at,
        "logical_date": run.logical_date,
        "cohort_size": run.cohort_size,
        "k": run.k,
        "planned_at": run.planned_at,
        "finished_at": run.finished_at,
        "error": run.error,
    }


def print_list(rows: list[dict[str, Any]], *, wide: bool) -> None:
    """Print the rows of `row_of`."""
    columns = [
        "run_id",
        "state",
        "is_published",
        "is_pinned",
        "cohort_size",
        "planned_at",
        "finished_at",
        "pruned_at",
        "error",
    ]
    keep = {"run_id", "state", "is_published", "finished_at"}
    print_table(
        columns, [[row[name] for name in columns] for row in rows], keep=None if wide else keep
    )


def print_status(data: dict[str, Any], *, wide: bool = False) -> None:
    """Print one run: stages, leases, outcomes, gates."""
    marks = [name for name in ("published", "pinned") if data[f"is_{name}"]]
    mark = f" ({', '.join(marks)})" if marks else ""
    print_line(f"{data['run_id']} is {data['state']}{mark}")
    if data["error"]:
        print_line(f"why: {data['error']}")
    speed = f", {data['users_per_second']:,.1f} users/s" if data["users_per_second"] else ""
    eta = data["eta_seconds"]
    left = "" if eta is None else f", about {timedelta(seconds=round(eta))} left in this stage"
    if data["pruned_at"]:
        print_line(f"its lists for {plural(data['cohort_size'], 'user')} were pruned")
    else:
        print_line(
            f"{data['users_done']:,} of {plural(data['cohort_size'], 'user')} done{speed}{left}"
        )
    sources = ", ".join(f"{name}:{weight:g}" for name, weight in data["weights"].items())
    reranker = f"; re-ranker {data['reranker']}" if data["reranker"] else ""
    encoder = f"; encoder {data['encoder']}" if data["encoder"] else ""
    print_line(f"recipe {data['recipe'] or '(older than recipes)'}: {sources}{reranker}{encoder}")
    _print_groups(data)
    if data["generator"] is None:
        print_line("no query generator: no queries are written; the other sources make the lists")
    print_line(
        f"{data['k']} items each; generator {data['generator'] or '(none)'}; "
        f"index {data['index']}, k1 {data['k1']:g}, b {data['b']:g}"
        + (f", minimum_should_match {asked}" if (asked := data["minimum_should_match"]) else "")
    )
    columns = ["stage", "done", "total", "unit", "shards_open", "leases", "expired_leases"]
    columns += ["members_per_second", "eta_seconds", "last_error"]
    keep = {"stage", "done", "total", "unit", "shards_open", "leases", "eta_seconds"}
    if any(stage["last_error"] for stage in data["stages"]):
        keep = {"stage", "done", "total", "unit", "last_error"}
    print_table(
        columns,
        [[stage[name] for name in columns] for stage in data["stages"]],
        keep=None if wide else keep,
    )
    if data["leases"]:
        columns = ["owner", "stage", "shard_no", "members", "attempt", "seconds_left"]
        print_table(
            columns, [[lease[name] for name in columns] for lease in data["leases"]], "leases"
        )
    for name in ("outcomes", "sources", "promotions", "left_out_pins", "removed_queries"):
        if data[name]:
            counts = ", ".join(f"{key} {n:,}" for key, n in data[name].items())
            print_line(f"{name.replace('_', ' ')}: {counts}")
    if line := first_queries_line(data["distinct_first_queries"], data["top_first_query_fraction"]):
        print_line(line)
    print_gates(data["gates"])


def _print_groups(data: dict[str, Any]) -> None:
    """Print which users get other lists, and which are served first."""
    if data["holdback"]:
        arms = ", ".join(f"{share:.1%} {arm}" for arm, share in data["holdback"].items())
        print_line(f"holdback: other lists for {arms} of the users")
    if data["canary_users"]:
        passed = "passed the gates" if data["canary_passed_at"] else "served alone so far"
        print_line(f"canary: the first {plural(data['canary_users'], 'user')}, {passed}")


def print_gates(gates: list[dict[str, Any]]) -> None:
    """Print what gates found: failed ones first, each group by importance, with their reasons."""
    ordered = sorted(gates, key=lambda gate: (gate["passed"], gate["importance"] or 0))
    columns = ["gate", "passed", "measured", "required"]
    rows = [
        [gate["gate"], _passed(gate), *(gate[name] for name in columns[2:])] for gate in ordered
    ]
    print_table(columns, rows, "gates, by importance", wraps=True)
    for gate in ordered:
        if not gate["passed"] and gate["reason"]:
            print_line(f"{gate['gate']}: probably {gate['reason']}")


def _passed(gate: dict[str, Any]) -> bool | str:
    return "warning" if not (gate["passed"] or gate["is_blocking"]) else gate["passed"]


def print_now(data: dict[str, Any]) -> None:
    """Print how the nights stand."""
    age = data["published_hours_ago"]
    if age is not None:
        made = data["made_hours_ago"]
        print_line(
            f"Readers see {data['published_run_id']}, published {age:.1f} hours ago; its lists "
            f"were made {made:.1f} hours ago."
        )
    if data["newest"]:
        print_status(data["newest"])
    for name in ("stuck", "alarms", "pages"):
        for problem in data[name]:
            mark = "stuck: " if name == "stuck" else ""
            print_line(f"{mark}{problem['what']} {problem['way_out']}")


def print_rejected(data: dict[str, Any]) -> None:
    """Print what was rejected, and what readers see."""
    verb = "would be" if data["dry_run"] else "is"
    print_line(f"{data['rejected']} {verb} rejected.")
    print_line(
        f"Readers see {data['published']}." if data["published"] else "Nothing is published yet."
    )


def print_ensured(data: dict[str, Any]) -> None:
    """Print which night was due and what came of it."""
    if data["run_id"]:
        print_line(f"{data['run_id']} is {data['state']}.")
    if data["dry_run"]:
        print_line(f"The night due is that of {data['due']}; to do: {data['action']}.")
    elif not data["run_id"]:
        print_line(f"The night due is that of {data['due']}; there was nothing to start.")


def print_diff(data: dict[str, Any]) -> None:
    """Print how two runs differ."""
    print_line(
        f"{data['b']} against {data['a']}: {plural(data['users_in_both'], 'user')} in both, "
        f"{data['users_only_in_b']:,} new, {data['users_only_in_a']:,} gone"
    )
    print_lists_diff(data)
    print_deltas(data["metrics"])
    print_line(f"{plural(data['users_with_other_queries'], 'user')} have other queries")
    print_table(
        ["input", "was", "is"],
        [[name, *map(_entry, values)] for name, values in data["changed_inputs"].items()],
        "changed inputs",
    )


def _entry(value: Any) -> Any:
    """Return an entry of a manifest as text, as recipes have it."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def print_deltas(found: dict[str, Any] | None) -> None:
    """Print what lists are worth by a split's held-out items; nothing without a split."""
    if found is None:
        return
    columns = ["metric", "a", "b", "gain", "low", "high", "adjusted"]
    print_table(
        ["metric", "before", "after", "gain", "from", "to", "p"],
        [
            [f"{row['metric']}@{row['k']}", *(row[name] for name in columns[1:])]
            for row in found["metrics"]
        ],
        f"by {found['split']} ({found['part']}): {plural(found['users'], 'user')}, without "
        f"{found['known_users']:,} whose held-out items the night knew",
    )


def print_lists_diff(data: dict[str, Any]) -> None:
    """Print how lists differ: how much by users, and which items most gained and lost."""
    if data["mean_jaccard"] is not None:
        deciles = " ".join(f"{value:.2f}" for value in data["deciles"])
        print_line(
            f"lists: {data['equal_lists']:,} equal, mean Jaccard {data['mean_jaccard']:.3f}, "
            f"at 0, 10, ... 100 % of users: {deciles}"
        )
    for name in ("gained", "lost"):
        print_table(
            ["users", "item_id", "title"],
            [[row["users"], row["item_id"], row["title"]] for row in data[name]],
            f"items {name}",
        )


def print_pruned(data: dict[str, Any]) -> None:
    """Print what a prune removed, or would."""
    if data["prompts"] is None:
        print_line(f"Would drop the lists of: {', '.join(data['runs']) or 'no run'}.")
        return
    print_line(f"Dropped the lists of: {', '.join(data['runs']) or 'no run'}.")
    print_line(
        f"Collected {plural(data['prompts'], 'prompt')}, {data['generations']:,} generations, "
        f"{data['queries']:,} queries and {data['searches']:,} searches."
    )
