"""Gates on the pinned build: it is the one that was planned, and has the catalog."""

from collections.abc import Mapping
from typing import Any

from gpt4rec_es.db.rows.documents import current_catalog_version
from gpt4rec_es.db.rows.measured_lists import CatalogItem, count_catalog, sample_recommended
from gpt4rec_es.elastic.similarity import FieldBm25, same_bm25, same_field_bm25
from gpt4rec_es.index.inspect import (
    applied_bm25,
    describe_index,
    load_documents,
    sample_titles,
)
from gpt4rec_es.night.publish.checked import Checked, Verdict
from gpt4rec_es.records import Bm25

# Recommended items whose documents are compared with the catalog.
_DOCUMENTS = 200


def build_is_unchanged(checked: Checked) -> Verdict:
    """Check that the pinned build has its recorded uuid, documents, k1 and b, and scores by them.

    k1 and b are read from the settings, and those of titles from explanations of scores, too.
    """
    elastic, run = checked.elastic, checked.run
    wanted = run.manifest["build"]
    found = describe_index(elastic, run.index_name)
    used = applied_bm25(elastic, run.index_name, sample_titles(elastic, run.index_name))
    bm25 = Bm25(wanted["k1"], wanted["b"])
    of_fields = {name: Bm25(*pair) for name, pair in wanted.get("field_bm25", {}).items()}
    others = [one for one in used if not same_bm25(one, bm25)]
    same = (
        found.uuid == wanted["uuid"]
        and found.documents == wanted["documents"]
        and same_bm25(found.bm25, bm25)
        and same_field_bm25(found.field_bm25, of_fields)
        and not others
    )
    scored = f"; scores use k1 {others[0].k1:g}, b {others[0].b:g}" if others else ""
    return Verdict(
        same,
        f"{found.documents} documents, {_said(found.bm25, found.field_bm25)}, "
        f"uuid {found.uuid}{scored}",
        f"{wanted['documents']} documents, {_said(bm25, of_fields)}, uuid {wanted['uuid']}",
    )


def _said(bm25: Bm25, fields: FieldBm25) -> str:
    others = [f"{name} k1 {one.k1:g}, b {one.b:g}" for name, one in sorted(fields.items())]
    return ", ".join([f"k1 {bm25.k1:g}, b {bm25.b:g}", *others])


def build_has_the_catalog(checked: Checked) -> Verdict:
    """Check that the pinned build has all items, and sampled documents are those of their items.

    After an import since planning the catalog is another one; then nothing is compared.
    """
    run = checked.run
    catalog = count_catalog(checked.connection)
    wanted = run.manifest["build"]
    if wanted["catalog_version"] != catalog.version:
        return Verdict(True, "the catalog was imported since planning", "nothing")
    items = sample_recommended(checked.connection, run.run_no, _DOCUMENTS)
    found = load_documents(checked.elastic, run.index_name, [item.item_id for item in items])
    if current_catalog_version(checked.connection) != catalog.version:
        return Verdict(True, "the catalog was imported during the check", "nothing")
    others = sum(not _is_of(item, found.get(item.item_id)) for item in items)
    return Verdict(
        wanted["documents"] == catalog.items > 0 and others == 0,
        f"{wanted['documents']:,} documents of {catalog.items:,} items with a title; "
        f"{others} of {len(items)} sampled documents differ from their item",
        "one document for each item, and none that differs",
    )


def _is_of(item: CatalogItem, document: Mapping[str, Any] | None) -> bool:
    return document is not None and (document["item_no"], document["title"]) == (
        item.item_no,
        item.title,
    )
