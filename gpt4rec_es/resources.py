"""Paths of the data files mappings/ and migrations/.

An installed wheel has them inside the package, a checkout beside it.
"""

from pathlib import Path

from gpt4rec_es.errors import UsageError

_PACKAGE = Path(__file__).resolve().parent


def resource_path(*parts: str) -> Path:
    """Return the path of a shipped file or folder, as ``resource_path("mappings", "items.json")``.

    Raises:
        UsageError: it is missing from the installation.
    """
    for root in (_PACKAGE, _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise UsageError(
        f"{'/'.join(parts)} is missing from this installation.", "Install gpt4rec-es again."
    )
