"""Words that say whether an item may be sold, in the languages and systems of shops.

``-1`` is false in one shop system (draft) and true in one database: it is read only where the file
also holds another word for true, or where an option says which.
"""

from collections.abc import Mapping

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Micros, shown

_TRUE = """
    true t yes y 1 on ja j oui o si s\u00ed sim da tak wahr vrai vero verdadero
    \u0434\u0430
    active aktiv actif activo attivo enabled published publish visible public available
    verf\u00fcgbar instock limitedavailability onlineonly instoreonly preorder presale backorder
    onbackorder backordered
"""
_FALSE = """
    false f no n 0 off nein non n\u00e3o nao nej nie falsch faux falso \u043d\u0435\u0442
    inactive inaktiv inactif inactivo inattivo disabled draft entwurf brouillon private pending
    hidden archived unpublished unlisted trash deleted discontinued outofstock soldout unavailable
    ausverkauft
"""
FLAGS: Mapping[str, bool] = dict.fromkeys(_TRUE.split(), True) | dict.fromkeys(
    _FALSE.split(), False
)
DRAFT = "-1"
_PREFIXES = ("https://schema.org/", "http://schema.org/", "schema:")
_LONGEST = 60


def flag_key(text: str) -> str:
    """Return ``text`` as it is compared: in lower case, without spaces, hyphens, underscores."""
    key = text.strip().lower()
    if key == DRAFT:
        return key
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    key = key.replace(" ", "").replace("_", "").replace("-", "")
    return key.removesuffix(".0")


def flag(value: object, words: Mapping[str, bool] = FLAGS) -> bool | None:
    """Return a boolean for a word of ``words`` (keys by ``flag_key``); None: no value.

    Raises:
        BadRecordError: anything else.
    """
    if value is None or value is ABSENT or value == "":
        return None
    found = None
    if isinstance(value, str) and len(value) <= _LONGEST:
        found = words.get(flag_key(value))
    elif isinstance(value, bool):
        found = value
    elif isinstance(value, int | float) and not isinstance(value, Micros):
        found = words.get(f"{value:.0f}") if value in (-1, 0, 1) else None
    if found is None:
        reason = f"{shown(value)} is neither true nor false"
        if str(value) in (DRAFT, "-1.0"):
            reason = "-1 means draft in some files and true in others: give --flag -1=no or -1=yes"
        raise BadRecordError("bad_flag", reason)
    return found
