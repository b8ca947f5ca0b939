"""The tables of the page of a night."""

from collections.abc import Mapping

from gpt4rec_es.db.rows.readings import Rows
from gpt4rec_es.reports.night import LIMITS, NightFacts
from gpt4rec_es.reports.numbers import count
from gpt4rec_es.reports.tables import Column, Table, table

_USERS = Column("users", "Users", "bar")
_OFFERED = Column("offered", "Offered", "count", "items that could be recommended")
_RECOMMENDED = Column("recommended", "Shown", "count", "of these, recommended to a user")
_GIVEN = Column("recommendations", "Recommendations", "bar")
_DAYS = Column("days", "Days", "count", "days after the night whose purchases count")


def tables(facts: NightFacts) -> dict[str, Table]:
    """Return the tables of a night by key."""
    made = [
        *_demand(facts.found),
        *_changes(facts.found),
        *_gaps(facts.found),
        *_lists(facts.found),
        *_work(facts.found),
    ]
    return {one.key: one for one in made}


def _demand(found: Mapping[str, Rows]) -> list[Table]:
    trend = Column("trend", f"Last {LIMITS['nights']} nights", "trend", "users per night")
    return [
        table(
            found["queries"],
            "queries",
            "Queries written for the most users",
            [
                Column("query", "Query"),
                _USERS,
                # A line needs two nights.
                *([trend] if len(found["nights"].rows) > 1 else []),
                Column("hits", "Hits", "count", "stored hits of the query"),
                Column("found", "In lists", "count", "recommendations that it found"),
            ],
            empty="No queries: the run has no query generator.",
        )
    ]


def _changes(found: Mapping[str, Rows]) -> list[Table]:
    columns = [
        Column("query", "Query"),
        Column("before", "Before", "count"),
        Column("now", "Now", "count"),
        Column("change", "Change", "signed"),
    ]
    return [
        table(found["rising"], "rising", "New and rising", columns),
        table(found["falling"], "falling", "Vanishing and falling", columns),
    ]


def _gaps(found: Mapping[str, Rows]) -> list[Table]:
    return [
        table(
            found["without_hits"],
            "without_hits",
            "Queries without any hit",
            [
                Column("query", "Query"),
                _USERS,
                Column("titles", "Their newest purchases", "texts"),
                Column("user_ids", "Users, e.g.", "ids"),
            ],
            empty="None: every query has hits.",
        ),
        table(
            found["weak"],
            "weak",
            f"Weak matches among the {count(LIMITS['frequent'])} most frequent queries",
            [
                Column("query", "Query"),
                _USERS,
                Column("matched", "Words found", "count", "words that the best hit has"),
                Column("words", "Of words", "count", "words of the query"),
                Column("best", "Best hit"),
                Column("user_ids", "Users, e.g.", "ids"),
            ],
            empty="None: the best hit has at least half of the words of each.",
        ),
    ]


def _lists(found: Mapping[str, Rows]) -> list[Table]:
    given = Column("recommendations", "In lists", "bar", "recommendations")
    share_of = [Column("name", "Name"), _OFFERED, _RECOMMENDED, given]
    return [
        table(found["brands"], "brands", "By brand", share_of, empty="No item has a brand."),
        table(
            found["categories"],
            "categories",
            "By category",
            share_of,
            empty="No item has a category.",
        ),
        table(
            found["most_shown"],
            "most_shown",
            "Items recommended to the most users",
            [
                Column("item_id", "Item", "item"),
                Column("title", "Title"),
                _USERS,
                Column("by_query", "By a query", "count", "of these users, by a generated query"),
                Column("queries", "Queries that found it", "texts"),
                Column("purchases", "Purchases that led to it", "texts"),
            ],
        ),
        table(
            found["concentration"],
            "concentration",
            "Recommended items in 20 groups of equal size, the most recommended first",
            [
                Column("part", "Group", "count"),
                Column("items", "Items", "count"),
                Column("recommendations", "Recommendations", "bar"),
            ],
        ),
        table(
            found["sources"],
            "sources",
            "Recommendations by source",
            [Column("source", "Source", "source"), _GIVEN],
        ),
    ]


def _work(found: Mapping[str, Rows]) -> list[Table]:
    return [
        table(
            found["outcomes"],
            "outcomes",
            "Users by outcome",
            [Column("outcome", "Outcome"), _USERS],
        ),
        table(
            found["lengths"],
            "lengths",
            "Lists by length",
            [Column("items", "Items", "count"), _USERS],
            empty="Not known any more: the lists were pruned.",
        ),
        table(
            found["holdback"],
            "holdback",
            "Held-back users by arm",
            [
                Column("arm", "Arm"),
                _USERS,
                Column("places", "Places", "count", "length of their lists, summed"),
            ],
        ),
        table(
            found["stages"],
            "stages",
            "Stages",
            [
                Column("stage", "Stage"),
                Column("members", "Members", "count", "prompts, queries or users"),
                Column("shards", "Shards", "count"),
                Column("seconds", "Time", "seconds"),
            ],
            empty="Not known any more: the lists were pruned.",
        ),
        table(
            found["nights"],
            "nights",
            "Nights",
            [
                Column("logical_date", "Date"),
                Column("users", "Users", "count"),
                Column("items", "Items shown", "count"),
                Column("offered", "Items offered", "count"),
                Column("recommendations", "Recommendations", "count"),
                Column("seconds", "Duration", "seconds"),
            ],
        ),
        table(
            found["quality"],
            "quality",
            "Purchases after the last nights",
            [
                Column("logical_date", "Night"),
                _DAYS,
                Column("rate", "Hit rate (95 % interval)", "interval"),
                Column("popular", "Popular items", "share", "hit rate of popular items"),
                Column("gain", "Gain over popular items (95 % interval)", "interval"),
                Column("buyers", "Buyers", "count", "users that bought an item new to them"),
                Column("is_complete", "Complete", "yes", "whether these days are over"),
            ],
            empty="Not measured yet: this needs purchases imported after a night.",
        ),
        table(
            found["bought"],
            "bought",
            "Recommendations that were bought, by source",
            [
                Column("source", "Source", "source"),
                Column("places", "Places", "count", "of users that bought an item new to them"),
                Column("bought", "Bought", "bar"),
                Column("rate", "Share", "share", "of the places"),
                Column("logical_date", "Night"),
                _DAYS,
            ],
            empty="Not measured yet.",
        ),
        table(
            found["arms"],
            "arms",
            "What arms of the holdback bought",
            [
                Column("arm", "Arm", "text", "recipe: users that are not held back"),
                Column("buying", "Share that bought (95 % interval)", "interval"),
                Column("users", "Users", "count"),
                Column("logical_date", "Night"),
                _DAYS,
                Column("bought", "Items bought", "count", "items that were new to their buyers"),
                Column("hits", "By a list", "count", "users that bought an item of their list"),
            ],
        ),
        table(
            found["gates"],
            "gates",
            "Gates, failed ones first, then by importance",
            [
                Column("gate", "Gate"),
                Column("has_passed", "Result", "passed"),
                Column("is_blocking", "Blocks", "yes", "no: a run that fails is only warned of"),
                Column("measured", "Measured"),
                Column("required", "Required"),
                *(
                    [Column("reason", "Probable reason")]
                    if not all(row["has_passed"] for row in found["gates"].dicts())
                    else []
                ),
            ],
            empty="The run was not checked yet.",
        ),
    ]
