"""The stack's Elasticsearch: one node on loopback, without security, heap sized by the machine."""

import contextlib
import hashlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from gpt4rec_es.protocols import Progress
from gpt4rec_es.stack import processes
from gpt4rec_es.stack.account import BARE_ENVIRONMENT
from gpt4rec_es.stack.diagnostics import start_error, tail
from gpt4rec_es.stack.distribution import VERSION, is_whole, obtain
from gpt4rec_es.stack.java import find_java
from gpt4rec_es.stack.options import Announce, StackOptions
from gpt4rec_es.stack.place import Place
from gpt4rec_es.stack.reach import copy_tree
from gpt4rec_es.stack.state import State

_START_SECONDS = 300.0
_STOP_SECONDS = 60.0
_LEAST_HEAP_MB, _MOST_HEAP_MB = 512, 2048
_JVM = """\
-Xms256m
-Xmx{heap_mb}m
-XX:+UseSerialGC
-Djava.io.tmpdir=${{ES_TMPDIR}}
-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1
-XX:+ExitOnOutOfMemoryError
-Dgpt4rec.stack={folder}
"""


def usual_heap_mb(memory: int) -> int:
    """Return the heap in MB for ``memory`` bytes: an eighth, at least 512 and at most 2048 MB."""
    return min(_MOST_HEAP_MB, max(_LEAST_HEAP_MB, memory // 8 // 2**20))


def memory_bytes(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """Return the memory of this machine in bytes, or the cgroup's memory limit."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
        memory = min(memory, int(limit.read_text("ascii")))
    return memory


class Elasticsearch:
    """One node in ``<folder>/elasticsearch``."""

    name = "elasticsearch"
    title = "Elasticsearch"
    port_names: tuple[str, ...] = ("elasticsearch", "elasticsearch_transport")
    wait_s = 60.0

    def __init__(
        self,
        place: Place,
        options: StackOptions,
        progress: Progress,
        announce: Announce,
    ) -> None:
        self._place, self._options = place, options
        self._progress, self._announce = progress, announce
        self._folder = place.folder / self.name
        self._config = self._folder / "config"
        self._logs = self._folder / "logs"
        self._launch_log = place.folder / "elasticsearch-start.log"
        self._home: Path | None = None
        self._java: Path | None = None
        self._launcher: subprocess.Popen[bytes] | None = None
        digest = hashlib.sha256(os.fsencode(place.folder)).hexdigest()[:10]
        self._cluster = f"gpt4rec-{digest}"
        self._log = self._logs / f"{self._cluster}.log"
        self._mark = processes.Mark("java", (f"-Dgpt4rec.stack={place.folder}",))
        self._launcher_mark = processes.Mark("java", (f"-Des.path.conf={self._config}",))

    def pids(self) -> list[int]:
        """Return the node's process, and its launcher's while it starts."""
        uid = self._place.account.uid
        return processes.find(self._mark, uid) + processes.find(self._launcher_mark, uid)

    def answers(self, state: State) -> bool:
        """Return whether the node of this stack, and no other, answers on its port."""
        answer = self._get(state, "/", 5)
        return answer is not None and answer.get("cluster_name") == self._cluster

    def prepare(self) -> None:
        """Find Java, get the distribution, and write the configuration without the ports."""
        account = self._place.account
        self._java = find_java(self._options.java_home, account)
        tree = obtain(self._options.cache, self._options.repository, self._progress, self._announce)
        if not account.can_read(tree / "lib" / f"elasticsearch-{VERSION}.jar"):
            copy = self._place.programs / tree.name
            if not is_whole(copy):
                copy_tree(tree, copy, link=True)
            tree = copy
        self._home = tree
        self._place.server_folder(self.name)
        parts = ("config", "data", "logs", "tmp")
        self._place.make_folders(*(self._folder / part for part in parts))

    def launch(self, state: State) -> None:
        """Start it in the background; ``wait`` returns when it is ready."""
        assert self._home is not None  # noqa: S101 - prepare comes first
        self._write_config(state)
        # An old log would be read as the reason if this start fails.
        self._place.remove(self._log, self._folder / "tmp")
        self._place.make_folders(self._folder / "tmp")
        with self._launch_log.open("wb") as output:
            self._launcher = subprocess.Popen(
                [str(self._home / "bin" / "elasticsearch"), "-d"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env={
                    **BARE_ENVIRONMENT,
                    "HOME": str(self._folder),
                    "ES_JAVA_HOME": str(self._java),
                    "ES_PATH_CONF": str(self._config),
                    "ES_TMPDIR": str(self._folder / "tmp"),
                },
                start_new_session=True,
                **self._place.account.popen_options(),
            )

    def wait(self, state: State) -> None:
        """Wait until the node answers and its indices are open.

        Raises:
            DependencyError: it does not start; the message has the reason.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers(state):
            ended = self._launcher is not None and self._launcher.poll() not in {None, 0}
            if ended or time.monotonic() > deadline:
                self.stop()
                raise start_error(self.title, self._log, tail(self._launch_log))
            time.sleep(0.25)
        if self._launcher is not None:
            self._launcher.wait()
        self._get(
            state,
            "/_cluster/health?wait_for_status=yellow&wait_for_no_initializing_shards=true"
            "&timeout=60s",
            70,
        )

    def stop(self, wait_s: float = _STOP_SECONDS) -> int:
        """Stop node and launcher; return the number of processes stopped."""
        uid = self._place.account.uid
        count = processes.stop(self._launcher_mark, uid, 10.0)
        count += processes.stop(self._mark, uid, wait_s)
        if self._launcher is not None:
            self._launcher.wait()
        return count

    def settings(self, state: State) -> dict[str, Any]:
        """Return the settings of the node, by their names in elasticsearch.yml."""
        return {
            "cluster.name": self._cluster,
            "node.name": "n1",
            "discovery.type": "single-node",
            "network.host": "127.0.0.1",
            "http.port": state.ports["elasticsearch"],
            "transport.port": state.ports["elasticsearch_transport"],
            "path.data": str(self._folder / "data"),
            "path.logs": str(self._logs),
            "xpack.security.enabled": False,
            # On a nearly full disk, as on laptops, Elasticsearch would make indices read-only.
            "cluster.routing.allocation.disk.threshold_enabled": False,
            "node.store.allow_mmap": False,
            # Writing to a missing index is an error here, so no index is created.
            "action.auto_create_index": False,
        }

    def _write_config(self, state: State) -> None:
        assert self._home is not None  # noqa: S101 - prepare comes first
        # JSON values are valid YAML, whatever characters a path has.
        lines = ["# Written at every start of the stack; changes here are lost."]
        lines += [f"{name}: {json.dumps(value)}" for name, value in self.settings(state).items()]
        self._place.write(self._config / "elasticsearch.yml", "\n".join(lines) + "\n")
        heap_mb = state.heap_mb or usual_heap_mb(memory_bytes())
        self._place.write(
            self._config / "jvm.options", _JVM.format(heap_mb=heap_mb, folder=self._place.folder)
        )
        source = self._home / "config" / "log4j2.properties"
        self._place.write(self._config / "log4j2.properties", source.read_text("utf-8"))

    def _get(self, state: State, path: str, timeout: float) -> dict[str, Any] | None:
        from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - see postgres.connect

        link = HTTPConnection("127.0.0.1", state.ports["elasticsearch"], timeout=timeout)
        try:
            link.request("GET", path)
            answer = json.loads(link.getresponse().read())
        except (OSError, ValueError, HTTPException):
            return None
        finally:
            link.close()
        return answer if isinstance(answer, dict) else None
