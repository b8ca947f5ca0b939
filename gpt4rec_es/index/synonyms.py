"""Change the synonyms of searches without reindexing: clone the live build, move the alias.

Synonyms are rules of the search analyzer: no indexed term depends on them. The previous build is
kept unchanged, so runs that pinned it search as before, and going back is one alias swap.
"""

from dataclasses import dataclass, replace

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.errors import ConflictError, DataError, UsageError
from gpt4rec_es.index import live
from gpt4rec_es.index.bm25 import reusable_build
from gpt4rec_es.index.building import derived_build
from gpt4rec_es.index.mapping import Analysis, mapping_hash, read_synonyms
from gpt4rec_es.index.prune import prune_builds, remove_orphans


@dataclass(frozen=True, slots=True)
class SynonymsChange:
    """An alias swap to other synonyms; ``added`` and ``removed``: rules.

    after: the new live build; None: a dry run of a clone.
    """

    before: Build
    after: Build | None
    added: list[str]
    removed: list[str]
    deleted: list[str]


def show_synonyms(
    engine: Engine, client: Elasticsearch, alias: str
) -> tuple[Build, tuple[str, ...]]:
    """Return the live build and its synonym rules, as read from the server.

    Raises as ``live_build`` does.
    """
    build = live.live_build(engine, client, alias)
    return build, _rules_of(client, build)


def set_synonyms(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    analysis: Analysis,
    *,
    actor: str,
    reason: str | None,
    keep: int = 2,
    dry_run: bool = False,
) -> SynonymsChange:
    """Make a build with the synonyms of ``analysis`` live; searches continue meanwhile.

    A kept build of the same documents with these rules is reused, with all searches stored for it.

    Raises:
        UsageError: the live build has these rules already, or Elasticsearch refuses one.
        ConflictError: the analyzer or the mapping changed, too, which needs a new index; or another
            process builds or tunes behind this alias.
        DataError: the clone does not use the rules; it was removed.
        DependencyError: a server cannot be reached.
    """
    with plain_errors(client), live.index_lock(engine, alias) as lock:
        if not dry_run:
            live.reconcile(engine, client, alias)
            remove_orphans(engine, client, alias)
        before = live.live_build(engine, client, alias)
        old = _rules_of(client, before)
        if before.mapping_hash != mapping_hash(Analysis(analysis.analyzer, old)):
            raise ConflictError(
                "The analyzer or the mapping changed since the live index was built.",
                "`gpt4rec reindex` builds one anew, with the synonyms.",
            )
        if before.mapping_hash == mapping_hash(analysis):
            raise UsageError(
                "The live index has these synonyms already.",
                "Change the file that GPT4REC_SYNONYMS_FILE names, then set them again.",
            )
        added = [rule for rule in analysis.synonyms if rule not in old]
        removed = [rule for rule in old if rule not in analysis.synonyms]
        wanted = replace(before, mapping_hash=mapping_hash(analysis))
        after = reusable_build(engine, client, wanted, before.bm25)
        if dry_run:
            return SynonymsChange(before, after, added, removed, [])
        if after is None:
            after = derived_build(
                engine, client, before, before.bm25, actor=actor, reason=reason, analysis=analysis
            )
        if _rules_of(client, after) != analysis.synonyms:
            raise DataError(
                f"{after.index_name} has other synonyms than were set.", "Run `gpt4rec reindex`."
            )
        live.make_live(engine, client, lock, after, action="synonyms", actor=actor, reason=reason)
        deleted = prune_builds(engine, client, alias, keep)
        return SynonymsChange(before, after, added, removed, deleted)


def _rules_of(client: Elasticsearch, build: Build) -> tuple[str, ...]:
    with plain_errors(client):
        name = build.index_name
        answer = client.indices.get_settings(index=name, flat_settings=True).body
    return read_synonyms(answer[name]["settings"])
