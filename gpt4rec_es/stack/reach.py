"""Make the servers' programs accessible to the account that runs them, by copies if needed.

An unprivileged account cannot enter a checkout under /root or an environment made with a strict
umask; this program does not change permissions there.
"""

import filecmp
import shutil
from collections.abc import Sequence
from pathlib import Path

from gpt4rec_es.errors import DependencyError
from gpt4rec_es.stack.account import Account

# Not needed to run: static libraries and build files, a third of the folder.
_NOT_COPIED = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")


def reachable_postgres(bin_folder: Path, account: Account, programs: Path) -> Path:
    """Return a folder with Postgres' programs that ``account`` can run, copied if needed.

    Raises:
        DependencyError: not even a copy in ``programs`` runs.
    """
    names = ("initdb", "pg_ctl", "postgres")
    if all(account.can_run([str(bin_folder / name), "--version"]) for name in names):
        return bin_folder
    install = bin_folder.parent
    # The wheel's programs load libraries from ../../../<package>.libs: keep this relative path.
    copy = programs / install.parent.name / install.name
    if not _same_file(bin_folder / "postgres", copy / "bin" / "postgres"):
        libraries = install.parent.with_name(f"{install.parent.name}.libs")
        if libraries.is_dir():
            copy_tree(libraries, programs / libraries.name)
        copy.parent.mkdir(exist_ok=True)
        copy.parent.chmod(0o755)
        scratch = copy.with_name(f".{copy.name}.new")
        shutil.rmtree(scratch, ignore_errors=True)
        for part in ("lib", "share", "bin"):
            copy_tree(install / part, scratch / part)
        shutil.rmtree(copy, ignore_errors=True)
        scratch.rename(copy)
    return _checked(copy / "bin", account, [str(copy / "bin" / "postgres"), "--version"])


def reachable_broker(program: Path, account: Account, programs: Path) -> Path:
    """Return a path of the broker's program that ``account`` can run, copied if needed.

    Raises:
        DependencyError: not even a copy in ``programs`` runs.
    """
    if account.can_run([str(program), "--version"]):
        return program
    copy = programs / program.name
    if not _same_file(program, copy):
        scratch = copy.with_name(f".{copy.name}.new")
        shutil.copy2(program, scratch)
        scratch.chmod(0o755)
        scratch.replace(copy)
    return _checked(copy, account, [str(copy), "--version"])


def copy_tree(source: Path, target: Path, link: bool = False) -> None:
    """Copy ``source`` over ``target``, readable by all; ``link``: by hard links if possible."""

    def place(original: str, copy: str) -> None:
        if link:
            try:
                Path(copy).hardlink_to(original)
            except OSError:
                pass  # another file system, or one without links
            else:
                return
        shutil.copy2(original, copy)
        executable = Path(original).stat().st_mode & 0o100
        Path(copy).chmod(0o755 if executable else 0o644)

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=_NOT_COPIED, copy_function=place)
    for folder in (target, target.parent, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def _same_file(original: Path, copy: Path) -> bool:
    """Compare size and time of change, which copies keep."""
    return copy.is_file() and filecmp.cmp(original, copy, shallow=True)


def _checked(copy: Path, account: Account, command: Sequence[str]) -> Path:
    if not account.can_run(command):
        raise DependencyError(
            f"Account '{account.name}' cannot run {command[0]}.",
            "Choose a --folder that it can enter, on a disk that is not mounted noexec.",
        )
    return copy
