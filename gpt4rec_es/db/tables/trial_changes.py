"""What the best recipe of a trial changes for users."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, SmallInteger, Table, Text

from gpt4rec_es.db.tables.base import metadata

list_trial_changes = Table(
    "list_trial_changes",
    metadata,
    Column(
        "trial_no",
        ForeignKey("list_trials.trial_no", ondelete="CASCADE"),
        primary_key=True,
        comment="number of the trial",
    ),
    Column(
        "kind",
        Text,
        primary_key=True,
        comment="query (searched for users), item (in lists) or purchase (held out, found)",
    ),
    Column(
        "direction",
        Text,
        primary_key=True,
        comment="gained (more users with the best recipe) or lost (fewer)",
    ),
    Column(
        "place",
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="1-based rank by size of the change, largest first",
    ),
    Column("query", Text, comment="text of the query; NULL: the row is of an item"),
    Column("item_no", ForeignKey("items.item_no"), comment="the item; NULL: the row is of a query"),
    Column(
        "users_before",
        Integer,
        nullable=False,
        comment="number of test users with it by the recipe that was live",
    ),
    Column(
        "users_now",
        Integer,
        nullable=False,
        comment="number of test users with it by the best recipe",
    ),
    CheckConstraint("kind IN ('query', 'item', 'purchase')", name="kind"),
    CheckConstraint("direction IN ('gained', 'lost')", name="direction"),
    CheckConstraint(
        "(kind = 'query') = (query IS NOT NULL) AND num_nonnulls(query, item_no) = 1", name="of"
    ),
    comment="One row per query or item that the best recipe of a trial gives to more or fewer "
    "test users than the recipe that was live.",
)
