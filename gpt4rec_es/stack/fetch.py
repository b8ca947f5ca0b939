"""Downloads by Maven: the two public archives from which a local Elasticsearch is put together.

Only this module needs a network. Whatever Maven writes goes to a folder of its own, so that the
user's repository is read where it has the archive already, and never changed.
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
# Maven itself waits half an hour for a silent server.
_STALL_SECONDS = 180.0


@dataclass(frozen=True)
class Artifact:
    """A file in Maven's repositories, with what it must be: bytes and content."""

    group: str
    name: str
    version: str
    size: int
    sha256: str

    @property
    def coordinates(self) -> str:
        """How Maven names it."""
        return f"{self.group}:{self.name}:{self.version}:zip"

    def path_in(self, repository: Path) -> Path:
        """Return where a local repository keeps it."""
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
            "Maven is needed once, to download Elasticsearch, and 'mvn' is not on the PATH.",
            "Install it (Debian: apt install maven), "
            "or set ELASTICSEARCH_URL to a server you have.",
        )
    return maven


def fetch(artifact: Artifact, repository: Path, progress: Progress) -> Path:
    """Return the path of ``artifact`` in the local ``repository``, downloading what is missing.

    ``progress`` counts bytes.

    Raises:
        DependencyError: no Maven, no network, disk full, or what came is not what was asked for.
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
    """Run ``command`` in a process group of its own, ended with the block whatever happens."""
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
    """Report how the file grows until ``process`` ends; an error when nothing comes for long."""
    seen, last_growth = -1, time.monotonic()
    while process.poll() is None:
        time.sleep(_POLL_SECONDS)
        size = _bytes_in(path.parent)
        if size > seen:
            seen, last_growth = size, time.monotonic()
            progress(min(size, artifact.size), artifact.size)
        elif time.monotonic() - last_growth > _STALL_SECONDS:
            raise DependencyError(
                f"The download of {artifact.coordinates} stands still: nothing came for "
                f"{_STALL_SECONDS:.0f} s.",
                "Check the network and run the command again.",
            )


def _bytes_in(folder: Path) -> int:
    """Return the size of the largest file: the archive, under whatever name it has until done."""
    try:
        return max((entry.stat().st_size for entry in os.scandir(folder)), default=0)
    except OSError:
        return 0  # not made yet, or a file was renamed while we looked


def _failure(output: str, code: int, artifact: Artifact) -> DependencyError:
    """Return the error that says what ``output`` and exit ``code`` of Maven mean."""
    if "No space left on device" in output:
        return DependencyError(
            f"The disk is full: {artifact.coordinates} has {artifact.size / 1e6:.0f} MB.",
            "Make room, or set XDG_CACHE_HOME to a folder on a larger disk.",
        )
    if "JAVA_HOME" in output and "not defined correctly" in output:
        return DependencyError(
            "Maven finds no Java: JAVA_HOME is not defined correctly.",
            "Set JAVA_HOME to a Java 17, or unset it.",
        )
    return DependencyError(
        f"Maven could not download {artifact.coordinates}: {_reason(output, code)}.",
        "Check the network (proxies and mirrors are set in ~/.m2/settings.xml) and run it again; "
        "or set ELASTICSEARCH_URL to a server you have.",
    )


def _reason(output: str, code: int) -> str:
    """Return the innermost reason of Maven's first error line, a chain joined by colons."""
    if code in {-signal.SIGKILL, 128 + signal.SIGKILL}:
        return "it was killed"
    line = next((line for line in output.splitlines() if line.startswith("[ERROR]")), "")
    chain = line.removeprefix("[ERROR]").partition(" -> [Help")[0].strip().rstrip(".").split(": ")
    return ": ".join(chain[-2:])[:300] or f"it ended with code {code}"
