"""Version of the code: the release number, and a hash of the source files that decide results.

Workers compare the hash with that of a run's planner and skip runs of other code, because two
versions in one run could store inconsistent rows.
"""

import hashlib
from functools import cache
from pathlib import Path

VERSION = "0.1.0"
# Folders whose code changes no stored row of a run: it prints, inspects or installs. migrations/
# and mappings/ lie inside an installed wheel but beside a checkout.
_LEFT_OUT = {"cli", "doctor", "exporter", "exports", "stack", "migrations", "mappings"}


@cache
def code_version() -> str:
    """Return ``VERSION+<12 hex digits>``, the digits hashing the Python files that decide results.

    Cached from the first call in this process, or in its parent before a fork.
    """
    return _hash_files()


def is_code_unchanged() -> bool:
    """Return whether the files are still those of ``code_version()``.

    A long-lived process imports some modules late, so after a deployment it would mix two versions.
    """
    return code_version() == _hash_files()


def _hash_files() -> str:
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if relative.parts[0] in _LEFT_OUT:
            continue
        digest.update(relative.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{VERSION}+{digest.hexdigest()[:12]}"
