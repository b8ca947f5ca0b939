"""Downloads by Maven: the two public archives from which a local Elasticsearch is built.

Only this module needs a network. Maven writes to a separate folder; the user's repository is read,
if it has the archive, and never changed.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gpt4rec_es.errors import DependencyError
from gpt4rec_es.protocols import Progress

_GET = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get"
_POLL_SECONDS = 0.5
# Maven's own time-out for a silent server is half an hour.
_STALL_SECONDS = 180.0


@dataclass(frozen=True)
class Artifact:
    """A file in Maven's repositories, with its expected size and hash."""

    group: str
    name: str
    version: str
    size: int
    sha256: str

    @property
    def coordinates(self) -> str:
        """Maven coordinates of the file."""
        return f"{self.group}:{self.name}:{self.version}:zip"

    def path_in(self, repository: Path) -> Path:
        """Return the path of the file in a local repository."""
        folder = repository.joinpath(*self.group.split("."), self.name, self.version)
        return folder / f"{self.name}-{self.version}.zip"

    def is_whole(self, path: Path) -> bool:
        """Return whether the file at ``path`` is this artifact, by size and content."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256


def find_maven() -> str:
    """Return the path of Maven's program.

    Raises:
        DependencyError: it is not installed.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise DependencyError(
            "Maven ('mvn') is needed once, to download Elasticsearch, but is not on the PATH.",
            "Install it (Debian: apt install maven), "
            "or set ELASTICSEARCH_URL to an existing server.",
        )
    return maven


def fetch(artifact: Artifact, repository: Path, progress: Progress) -> Path:
    """Return the path of ``artifact`` in the local ``repository``, downloaded if it is missing.

    ``progress`` counts bytes.

    Raises:
        DependencyError: no Maven, no network, disk full, or the file is not the expected one.
    """
    path = artifact.path_in(repository)
    if artifact.is_whole(path):
        return path
    path.unlink(missing_ok=True)
    maven = find_maven()
    repository.mkdir(parents=True, exist_ok=True)
    command = [
        maven,
        "-B",
        _GET,
        f"-Dartifact={artifact.coordinates}",
        "-Dtransitive=false",
        f"-Dmaven.repo.local={repository}",
    ]
    log = repository / "maven.log"
    with log.open("wb") as output, _running(command, output.fileno()) as process:
        _watch(process, path, artifact, progress)
    if process.returncode != 0:
        raise _failure(log.read_text("utf-8", "replace"), process.returncode, artifact)
    if not artifact.is_whole(path):
        path.unlink(missing_ok=True)
        raise DependencyError(
            f"The download of {artifact.coordinates} is incomplete or not the file expected.",
            "Run the command again; if it repeats, look at the mirror in Maven's settings.xml.",
        )
    progress(artifact.size, artifact.size)
    return path


@contextmanager
def _running(command: list[str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` in a new process group, which is stopped at the end of the block."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _watch(
    process: subprocess.Popen[bytes], path: Path, artifact: Artifact, progress: Progress
) -> None:
    """Report the file's size until ``process`` ends; an error if it does not grow for too long."""
    seen, last_growth = -1, time.monotonic()
    while process.poll() is None:
        time.sleep(_POLL_SECONDS)
        size = _bytes_in(path.parent)
        if size > seen:
            seen, last_growth = size, time.monotonic()
            progress(min(size, artifact.size), artifact.size)
        elif time.monotonic() - last_growth > _STALL_SECONDS:
            raise DependencyError(
                f"The download of {artifact.coordinates} has stopped: no data for "
                f"{_STALL_SECONDS:.0f} s.",
                "Check the network and run the command again.",
            )


def _bytes_in(folder: Path) -> int:
    """Return the size of the largest file: the archive, which has a temporary name at first."""
    try:
        return max((entry.stat().st_size for entry in os.scandir(folder)), default=0)
    except OSError:
        return 0  # not created yet, or a file was renamed meanwhile


def _failure(output: str, code: int, artifact: Artifact) -> DependencyError:
    """Return the error for Maven's ``output`` and exit ``code``."""
    if "No space left on device" in output:
        return DependencyError(
            f"The disk is full: {artifact.coordinates} has {artifact.size / 1e6:.0f} MB.",
            "Free disk space, or set XDG_CACHE_HOME to a folder on a larger disk.",
        )
    if "JAVA_HOME" in output and "not defined correctly" in output:
        return DependencyError(
            "Maven finds no Java: JAVA_HOME is not defined correctly.",
            "Set JAVA_HOME to a Java 17, or unset it.",
        )
    return DependencyError(
        f"Maven could not download {artifact.coordinates}: {_reason(output, code)}.",
        "Check the network (proxies and mirrors are set in ~/.m2/settings.xml) and run it again; "
        "or set ELASTICSEARCH_URL to an existing server.",
    )


def _reason(output: str, code: int) -> str:
    """Return the last part of Maven's first error line, a chain of reasons joined by colons."""
    if code in {-signal.SIGKILL, 128 + signal.SIGKILL}:
        return "it was killed"
    line = next((line for line in output.splitlines() if line.startswith("[ERROR]")), "")
    chain = line.removeprefix("[ERROR]").partition(" -> [Help")[0].strip().rstrip(".").split(": ")
    return ": ".join(chain[-2:])[:300] or f"it ended with code {code}"
