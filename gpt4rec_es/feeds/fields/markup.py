"""Removes markup from titles: tags with their attributes, comments, and the text of scripts.

Only HTML's own element names, names with attributes and names with a prefix (``o:p``) are tags, so
that ``vector<int>``, ``<M8>`` and ``5 < 6`` stay as they are.
"""

import re

# Inside words, as in M<sup>2</sup>; all other tags separate words.
_INLINE = "a abbr acronym b bdi bdo big em font i ins kbd mark nobr q s small strike strong sub sup"
_INLINE += " tt u var wbr"
_OTHER = """
    address area article aside audio base blockquote body br button canvas caption center cite code
    col colgroup data dd del details dfn dialog dir div dl dt embed fieldset figcaption figure
    footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe img input label
    legend
    li link main map menu meta meter nav noscript object ol optgroup option output p param picture
    pre progress samp script section select slot source span style summary svg table tbody td
    template textarea tfoot th thead time title tr track ul video
"""


# A quoted value of an attribute may hold angle brackets.
_ATTRIBUTES = r"(?:\s(?:\"[^\"]*\"|'[^']*'|[^<>\"'])*|\s[^<>]*|\s*/)?"


def _tag(names: str) -> str:
    return rf"</?(?:{'|'.join(names.split())}){_ATTRIBUTES}>"


_INLINE_TAG = re.compile(_tag(_INLINE), re.IGNORECASE)
_REST = re.compile(
    rf"{_tag(_OTHER)}"
    r"|</?[a-z][\w-]*:[\w-]+(?:\s[^<>]*|\s*/)?>"  # <o:p>
    r"|<[a-z][\w-]*\s+[\w:-]+\s*=\s*[\"'][^<>]*>"  # any name with an attribute
    r"|<!--.*?(?:-->|$)|<!DOCTYPE[^>]*>|<\?[a-z][^>]*\?>|<!\[CDATA\[|\]\]>"
    rf"|</?(?:{'|'.join((_INLINE + ' ' + _OTHER).split())})\s+[\w:-]+\s*=[^<>]*$",  # cut off
    re.IGNORECASE | re.DOTALL,
)
_HIDDEN = re.compile(r"<(script|style)\b[^<>]*>.*?(?:</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
# Statements of scripts that were scraped without their tags.
_STATEMENT = re.compile(
    r"\bvar\s+[A-Za-z_$][\w$]*\s*=\s*[^;]*(?:;|$)"
    r"|\b(?:let|const)\s+[A-Za-z_$][\w$]*\s*=\s*[^;]*;"
    r"|\b(?:window|document)\.[\w$.]+\s*(?:=[^;=][^;]*|\([^;]*\))(?:;|$)"
    r"|\(?\bfunction\s*[\w$]*\s*\([^)]*\)\s*\{(?:.*\}[\s();,]*|.*$)"
    r"|\bif\s*\([^{}]*\)\s*\{[^{}]*\}"
    r"|\(window\.[\w$]+\s*=[^)]*\)(?:\.push\([^;]*\))?;?",
    re.DOTALL,
)
_SIGNS = ("<", "var ", "let ", "const ", "function", "window.", "document.")


def may_hold_markup(text: str) -> bool:
    """Return whether ``without_markup`` may change ``text``; a fast check."""
    return any(sign in text for sign in _SIGNS)


def without_markup(text: str) -> str:
    """Return ``text`` without tags, comments and scripts; repeat it until nothing changes."""
    if not may_hold_markup(text):
        return text
    if "<" in text:
        text = _HIDDEN.sub(" ", text)
        text = _REST.sub(" ", _INLINE_TAG.sub("", text))
    return _STATEMENT.sub(" ", text)
