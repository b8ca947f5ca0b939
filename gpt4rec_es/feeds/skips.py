"""Records that are valid but no purchase: returns, other events, services sold as items, guests.

They are skipped and counted by reason, neither imported nor rejected. A return does not remove the
purchase that it belongs to.
"""

from collections.abc import Sequence

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, shown
from gpt4rec_es.feeds.formats import Reading
from gpt4rec_es.feeds.marks import present
from gpt4rec_es.feeds.values import quantity_number

SKIP_BLANK = "blank line"
SKIP_ITEM = "item left out"
SKIP_GUEST = "no user"
SKIP_RETURN = "return or cancellation"
SKIP_EVENT = "event that is no purchase"
SKIP_NOTHING = "quantity 0"

_PURCHASES = """
    purchase purchased buy bought order ordered sale sold transaction checkout paid payment complete
    completed fulfilled shipped delivered invoice kauf achat compra
"""
_RETURNS = """
    return returned refund refunded cancel canceled cancelled cancellation chargeback reversal void
    voided storno rma failed declined
"""
_OTHERS = """
    view viewed product_view page_view pageview detail click clicked impression search searched cart
    add_cart add_to_cart addtocart remove_from_cart basket add_to_basket wishlist add_to_wishlist
    like favorite favourite rating rate review share pending
"""
# Word -> why its records are skipped; None: they are purchases.
_EVENTS: dict[str, str | None] = {
    **dict.fromkeys(_PURCHASES.split()),
    **dict.fromkeys(_RETURNS.split(), SKIP_RETURN),
    **dict.fromkeys(_OTHERS.split(), SKIP_EVENT),
}


def skips_records(sample: Sequence[object], reading: Reading) -> bool:
    """Return whether any record like ``sample`` (an interaction's fields) may be skipped."""
    has_columns = any(one is not ABSENT for one in sample[5:7])
    return has_columns or reading.skip_guests or reading.skip_items is not None


def reason_to_skip(record: Sequence[object], reading: Reading) -> str | None:
    """Return why an interaction (user, item, time, order, rating, quantity, event) is skipped.

    Raises:
        BadRecordError: the quantity is no number, or the event is unknown.
    """
    if is_left_out(record[1], reading):
        return SKIP_ITEM
    event = _event(present(record[6], reading.marks), reading)
    if event is not None:
        return event
    quantity = quantity_number(present(record[5], reading.marks), reading.decimal)
    if quantity is not None and quantity <= 0:
        return SKIP_RETURN if quantity < 0 else SKIP_NOTHING
    if reading.skip_guests and present(record[0], reading.marks) in (None, ABSENT):
        return SKIP_GUEST
    return None


def is_left_out(item_id: object, reading: Reading) -> bool:
    """Return whether the item is among those that the operator leaves out."""
    return reading.skip_items is not None and bool(reading.skip_items.match(str(item_id)))


def _event(value: object, reading: Reading) -> str | None:
    if value is ABSENT:
        return None
    text = "" if value is None else str(value).strip()
    word = text.lower().replace(" ", "_").replace("-", "_")
    if reading.returns is not None and reading.returns.match(text):
        return SKIP_RETURN
    if reading.purchases is not None:
        other = _EVENTS.get(word) or SKIP_EVENT
        return None if reading.purchases.match(text) else other
    if reading.returns is None and word not in _EVENTS:
        raise BadRecordError(
            "bad_event",
            f"is the event {shown(text)} a purchase? Name them by --purchases or --returns",
        )
    return _EVENTS.get(word)
