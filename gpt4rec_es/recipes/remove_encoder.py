"""Remove a registered encoder that nothing uses, with its vectors of titles."""

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.locks import transaction_lock
from gpt4rec_es.db.rows import audit, encoders, title_vectors
from gpt4rec_es.db.rows.encoders import Encoder
from gpt4rec_es.db.rows.pins import load_pins
from gpt4rec_es.errors import UsageError
from gpt4rec_es.recipes.live import require_not_live


def remove_encoder(engine: Engine, name: str, *, actor: str, dry_run: bool = False) -> int:
    """Delete the vectors of an encoder and free its name; return their number. Its files stay.

    Raises:
        UsageError: there is none of that name, the live recipe names it, or an index holds its
            vectors.
    """
    with transaction(engine) as connection:
        row = _require_unused(connection, name)
        count = title_vectors.count_vectors(connection, row.encoder_no)
        if dry_run:
            return count
        encoders.mark_removed(connection, row.encoder_no)
        before = {field: getattr(row, field) for field in ("kind", "path", "source")}
        before |= {"content_hash": row.content_hash}
        audit.record(connection, actor, "encoder_remove", name, before=before)
        for hashes in title_vectors.stream_hashes(connection, row.encoder_no):
            title_vectors.delete_vectors(connection, row.encoder_no, hashes)
    return count


def _require_unused(connection: Connection, name: str) -> Encoder:
    """Return the encoder if it can be removed; no recipe becomes live in this transaction."""
    transaction_lock(connection, "live recipe")
    row = encoders.get(connection, name)
    require_not_live(connection, "encoder", name)
    holding = encoders.builds_with(connection, row.encoder_no)
    if not holding:
        return row
    pins = load_pins(connection)
    by = sorted({pin for build_no in holding for pin in pins.get(build_no, [])} - {"hand"})
    by_hand = [build_no for build_no in holding if "hand" in pins.get(build_no, [])]
    way_out = "Run `gpt4rec reindex --encoder none`, then `gpt4rec index prune --keep 0`."
    if by_hand:
        way_out += f" Unpin {', '.join(map(str, by_hand))} first (`gpt4rec index unpin`)."
    if by:
        way_out += (
            f" Indices stay as long as a run needs them, here {', '.join(by)}: the published run "
            "and the one before it until later nights follow, unfinished and pinned ones."
        )
    raise UsageError(f"{[*holding.values()][-1]} holds vectors of the encoder {name!r}.", way_out)
