"""The rules of a run: frozen at planning with the items they are about, read by the merge.

Rules that are added or removed later do not change a planned run.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from gpt4rec_es.db.rows import rules as rows
from gpt4rec_es.db.rows.cohort import published_lately
from gpt4rec_es.db.rows.filters import filters_number
from gpt4rec_es.db.rows.rule_items import (
    PromotedItems,
    capped_brands,
    excluded_items,
    filters_of,
    frozen_promoted_items,
    promoted_items,
)
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import NO_OPTIONS, options_number
from gpt4rec_es.options.list_rules import ListRules
from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.prompts.keys import canonical_json, hash128
from gpt4rec_es.ranking.promotions import Boost, Pin, Promotions
from gpt4rec_es.ranking.rules import MAX_PER_BRAND, SHOWN, ItemRules
from gpt4rec_es.retrieval.query_filters import filter_settings


def rules_manifest(
    connection: Connection, kind: str, date: dt.date, list_rules: ListRules
) -> dict[str, Any] | None:
    """Return the rules of a run of ``date``, for its manifest; None: no rules.

    block_rules, boosts, pins: numbers of rules. hash: hash of their contents, independent of their
    numbers. shown_runs: runs whose lists count
    as recently shown.
    """
    found = rows.rules_on(connection, date)
    if not found and not list_rules.as_dict():
        return None
    numbers = {
        action: [rule.rule_no for rule in found if rule.action == action] for action in rows.ACTIONS
    }
    content = [
        [rule.kind, rule.value]
        + ([] if rule.action == rows.BLOCK else [rule.action, str(rule.places)])
        for rule in found
    ]
    manifest: dict[str, Any] = {
        **list_rules.as_dict(),
        "block_rules": numbers[rows.BLOCK],
        **{f"{action}s": of for action, of in numbers.items() if of and action != rows.BLOCK},
        "hash": hash128(canonical_json(sorted(content))).hex(),
    }
    if list_rules.shown_days:
        manifest["shown_runs"] = published_lately(connection, kind, date, list_rules.shown_days)
    return manifest


def freeze_rules(connection: Connection, run_no: int, manifest: dict[str, Any] | None) -> None:
    """Store the rules of ``manifest`` (see ``rules_manifest``) with the items they are about."""
    if manifest is None:
        return
    if numbers := [*manifest["block_rules"], *promoting(manifest)]:
        rows.freeze_numbered(connection, run_no, numbers)
    for one in filters_of(manifest):
        rows.freeze_filter(connection, run_no, one)
    if most := manifest.get("max_per_brand"):
        rows.freeze_setting(connection, run_no, MAX_PER_BRAND, str(most))
        rows.freeze_brands(connection, run_no, most)
    if days := manifest.get("shown_days"):
        rows.freeze_setting(connection, run_no, SHOWN, f"{days} days")


def load_item_rules(connection: Connection, run: Run) -> ItemRules | None:
    """Return the rules of a run; None: it has none."""
    manifest = run.manifest.get("rules")
    if manifest is None:
        return None
    return ItemRules(
        rows.load_blocked(connection, run.run_no),
        rows.load_brands(connection, run.run_no),
        manifest.get("max_per_brand"),
        _promotions(frozen_promoted_items(connection, run.run_no)),
    )


def promoting(manifest: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the boosts and pins of ``manifest`` (see ``rules_manifest``)."""
    return [*manifest.get("boosts", ()), *manifest.get("pins", ())]


def _promotions(found: Sequence[PromotedItems]) -> Promotions:
    """Return boosts and pins as the merge reads them; a pin's order is that of item numbers."""
    return Promotions(
        tuple(Boost(r.rule, r.places, r.item_nos) for r in found if r.action == rows.BOOST),
        tuple(Pin(r.rule, r.places, r.item_nos) for r in found if r.action == rows.PIN),
    )


def item_rules_now(connection: Connection, manifest: dict[str, Any]) -> ItemRules:
    """Return the rules of ``manifest`` (see ``rules_manifest``), applied to the current catalog."""
    most = manifest.get("max_per_brand")
    brands: Mapping[int, str] = capped_brands(connection, most) if most else {}
    promoted = promoted_items(connection, promoting(manifest))
    return ItemRules(
        excluded_items(connection, manifest["block_rules"], manifest),
        brands,
        most,
        _promotions(promoted),
    )


def load_shown(
    connection: Connection, run: Run, user_nos: Sequence[int]
) -> dict[int, frozenset[int]]:
    """Return user number -> items in the lists of the manifest's recently shown runs."""
    shown_runs = run.manifest.get("rules", {}).get("shown_runs", [])
    return rows.load_shown(connection, shown_runs, user_nos) if shown_runs else {}


def freeze_filters(
    connection: Connection, options: NightOptions, index_name: str
) -> tuple[int | None, dict[str, object] | None]:
    """Store the current filters; return their number and manifest entry, or None."""
    filters = options.filters
    if not filters.is_on:
        return None, None
    settings = filter_settings(connection, filters, index_name, options.search.fields)
    canonical = canonical_json(settings)
    number = filters_number(connection, hash128(canonical), canonical, filters.phrases)
    return number, {"hash": hash128(canonical).hex(), **settings}


def search_options_of(manifest: Mapping[str, Any]) -> SearchOptions:
    """Return the search options of a manifest; older ones have none."""
    return SearchOptions.from_dict(manifest.get("search_options"))


def search_options_number(connection: Connection, options: SearchOptions) -> int:
    """Return the number under which searches by ``options`` are stored."""
    values = options.as_dict()
    if not values:
        return NO_OPTIONS
    canonical = canonical_json(values)
    return options_number(connection, hash128(canonical), canonical)
