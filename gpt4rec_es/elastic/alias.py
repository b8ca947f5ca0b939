"""The alias: the stable name of the live index.

One request removes the old target and adds the new one, so a search never finds an alias without an
index or with two.
"""

from collections.abc import Sequence
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from gpt4rec_es.errors import ConflictError, UsageError


def alias_targets(client: Elasticsearch, alias: str) -> list[str]:
    """Return the names of the indices that ``alias`` points to: none, one, or (invalid) more.

    Raises:
        UsageError: an index itself has that name, so there can be no alias.
    """
    try:
        return sorted(client.indices.get_alias(name=alias).body)
    except NotFoundError:
        if client.indices.exists(index=alias):
            raise _name_is_taken(alias) from None
        return []


def resolve_alias(client: Elasticsearch, alias: str) -> str:
    """Return the one index that ``alias`` points to.

    Raises:
        UsageError: it points to none or several, or an index itself has that name.
    """
    targets = alias_targets(client, alias)
    if not targets:
        raise UsageError(
            f"The alias {alias!r} points nowhere: there is no index yet.", "Run `gpt4rec reindex`."
        )
    if len(targets) > 1:
        raise UsageError(
            f"The alias {alias!r} points to {len(targets)} indices: {', '.join(targets)}.",
            "`gpt4rec reindex --take-over` makes a new one and points the alias to it alone.",
        )
    return targets[0]


def swap_alias(client: Elasticsearch, alias: str, old: Sequence[str], new: str) -> None:
    """Point ``alias`` from the indices ``old`` to the index ``new``, in one step.

    Raises:
        ConflictError: the alias no longer points to ``old``; nothing was changed.
        UsageError: an index itself has the alias' name; nothing was changed.
    """
    actions: list[dict[str, Any]] = [
        {"remove": {"index": name, "alias": alias, "must_exist": True}}
        for name in old
        if name != new
    ]
    actions.append({"add": {"index": new, "alias": alias}})
    try:
        client.indices.update_aliases(actions=actions)
    except NotFoundError as error:
        raise ConflictError(
            f"The alias {alias!r} was moved by another process; it was not changed.", "Try again."
        ) from error
    except BadRequestError as error:
        if "invalid_alias_name" in str(error.body):
            raise _name_is_taken(alias) from error
        raise


def _name_is_taken(alias: str) -> UsageError:
    return UsageError(
        f"An index named {alias!r} is where the alias should be.",
        "Delete or rename that index, or choose another alias (GPT4REC_INDEX_ALIAS).",
    )
