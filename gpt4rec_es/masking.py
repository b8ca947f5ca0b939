"""Masking of secrets in URLs, for log lines and settings."""

import re
from urllib.parse import unquote

MASK = "***"
# user:password up to the last @ before the path, to include an unescaped @.
_AUTHORITY = re.compile(r"(?P<scheme>^[\w+.-]+://)(?P<user>[^:@/]*):(?P<password>.*)@")
_QUERY_SECRET = re.compile(r"(?i)([?&][\w-]*(?:password|api_?key|secret)[\w-]*=)([^&]*)")
# Shorter fragments occur in ordinary words; patterns of the scrubber cover them.
_SHORTEST_FRAGMENT = 4


def mask_url(url: str) -> str:
    """Return ``url`` with its password and secret parameters replaced."""
    masked = _AUTHORITY.sub(rf"\g<scheme>\g<user>:{MASK}@", url)
    return _QUERY_SECRET.sub(rf"\g<1>{MASK}", masked)


def secrets_of_url(url: str) -> list[str]:
    """Return the secrets in ``url``, as written and decoded.

    URL parsers split a password with unescaped delimiters, and errors then print its pieces, so
    pieces above a minimum length are returned too.
    """
    found = _AUTHORITY.search(url)
    written = [found["password"]] if found else []
    written += [match[1] for match in _QUERY_SECRET.findall(url)]
    pieces = [p for text in written for p in re.split(r"[:/@?#%&]", text)]
    whole = [form for text in written for form in (text, unquote(text))]
    return [text for text in whole if text] + [p for p in pieces if len(p) >= _SHORTEST_FRAGMENT]
