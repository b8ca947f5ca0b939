"""What ``gpt4rec demo`` shows of a customer: purchases, personal queries, what these found."""

from typing import Any

from gpt4rec_es.cli.output import plural, print_line

# Newest purchases shown of a customer.
_PURCHASES = 5


def print_customer(data: dict[str, Any]) -> None:
    """Print an explanation (see `gpt4rec why`) in short, with the items that queries found."""
    history, listed = data["history"], data["recommendations"]
    print_line("")
    print_line(
        f"Customer {data['user_id']}, {plural(data['n_bought'], 'item')} bought, the newest:"
    )
    for row in history[: -_PURCHASES - 1 : -1]:
        print_line(f"    {row['title'] or row['item_id']}")
    if not data["queries"]:
        print_line("  No queries were written; the other sources made the list.")
    else:
        print_line("  What the generator wrote, and what it found of the list:")
    titles = {row["rank"]: row["title"] or row["item_id"] for row in listed}
    for query in data["queries"]:
        print_line(f"    {query['query_rank']:>2}. “{query['query']}”")
        if query["removed_for"]:
            print_line(f"        not searched: {query['removed_for']}")
        for rank in query["listed_ranks"]:
            print_line(f"        found {titles[rank]} (rank {rank})")
    found = {rank for query in data["queries"] for rank in query["listed_ranks"]}
    if data["queries"]:
        print_line(
            f"  Queries found {len(found)} of the {plural(len(listed), 'item')} of the list, "
            "other sources the others."
        )
