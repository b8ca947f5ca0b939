"""Tables of recipes, which say how lists are made, and of their uses."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Identity, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from gpt4rec_es.db.tables.base import metadata, now

recipes = Table(
    "recipes",
    metadata,
    Column("recipe_no", Integer, Identity(), primary_key=True, comment="number of the recipe"),
    Column("name", Text, nullable=False, unique=True, comment="unique name of the recipe"),
    Column(
        "content_hash",
        Text,
        nullable=False,
        comment="SHA-256 (hex) of the document; equal hashes mean equal recipes",
    ),
    Column(
        "document",
        JSONB,
        nullable=False,
        comment="JSON: decoding, filters, search and fusion of queries and other sources",
    ),
    Column("actor", Text, nullable=False, comment="operator that stored the recipe (login name)"),
    Column("reason", Text, comment="reason that the operator gave; NULL: none"),
    now("stored_at", "time the recipe was stored"),
    Column(
        "trial_no",
        ForeignKey("list_trials.trial_no", ondelete="SET NULL"),
        comment="trial that chose the recipe; NULL: none, or deleted",
    ),
    comment="One row per stored recipe; it never changes. Shipped recipes are files, not rows.",
)

recipe_uses = Table(
    "recipe_uses",
    metadata,
    Column(
        "use_no",
        Integer,
        Identity(),
        primary_key=True,
        comment="number of the change, ascending in time",
    ),
    Column("action", Text, nullable=False, comment="command that made the change: use or undo"),
    Column(
        "recipe_no",
        ForeignKey("recipes.recipe_no"),
        comment="recipe that is live after the change; NULL: a shipped recipe",
    ),
    Column("recipe_name", Text, nullable=False, comment="name of the recipe that is live after it"),
    Column(
        "content_hash", Text, nullable=False, comment="SHA-256 (hex) of that recipe at that time"
    ),
    Column("actor", Text, nullable=False, comment="operator that made the change (login name)"),
    Column("reason", Text, comment="reason that the operator gave; NULL: none"),
    now("used_at", "time of the change"),
    CheckConstraint("action IN ('use', 'undo')", name="action"),
    comment=(
        "One row per change of the live recipe; the newest row has the live one. No row: the "
        "shipped recipe default is live."
    ),
)
