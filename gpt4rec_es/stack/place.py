"""The folder of one stack: owners of its parts, and its default path."""

import errno
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gpt4rec_es.errors import ConflictError, DependencyError, UsageError
from gpt4rec_es.stack.account import BARE_ENVIRONMENT, Account, server_account
from gpt4rec_es.stack.state import STATE_FILE, write_private

_POINTER = "location"
# The second is for systems without a writable /var/lib. It is not the first because many systems
# delete files from /var/tmp that were unused for a month.
_SHARED_ROOTS = (Path("/var/lib/gpt4rec"), Path("/var/tmp/gpt4rec"))  # noqa: S108 - owner is checked


@dataclass(frozen=True)
class Place:
    """A stack's folder, and the account that runs its servers."""

    folder: Path
    account: Account

    @property
    def programs(self) -> Path:
        """Folder for copies of programs that the account cannot access; it cannot write there."""
        return self.folder / "programs"

    def server_folder(self, name: str) -> Path:
        """Return the folder of server ``name``, created for access by the account only."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True, mode=0o700)
        if self.account.switch:
            os.chown(folder, self.account.uid, self.account.gid)
        return folder

    def make_folders(self, *folders: Path) -> None:
        """Create folders inside a server's folder, accessible to the account only."""
        self._as_account(["mkdir", "-p", "-m", "700", "--", *map(str, folders)])

    def write(self, path: Path, text: str) -> None:
        """Replace a file inside a server's folder, readable by the account only."""
        script = 'umask 077; rm -f -- "$1.new"; cat > "$1.new" && mv -f -- "$1.new" "$1"'
        self._as_account(["sh", "-c", script, "sh", str(path)], text)

    def rename(self, old: Path, new: Path) -> None:
        """Rename a file or folder inside a server's folder."""
        self._as_account(["mv", "-T", "--", str(old), str(new)])

    def remove(self, *paths: Path) -> None:
        """Remove existing files or folders inside a server's folder."""
        self._as_account(["rm", "-rf", "--", *map(str, paths)])

    def _as_account(self, command: list[str], text: str = "") -> None:
        """Run ``command`` as the account that owns the folders.

        Root must not write there, because the account could have placed a link.
        """
        done = subprocess.run(
            command,
            input=text.encode(),
            capture_output=True,
            cwd="/",
            env=BARE_ENVIRONMENT,
            check=False,
            **self.account.popen_options(),
        )
        if done.returncode != 0:
            reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
            full = any("No space left" in line for line in reason)
            raise DependencyError(
                f"Account '{self.account.name}' could not write in {self.folder}: "
                f"{reason[-1] if reason else 'no reason given'}.",
                "The disk is full: free disk space." if full else "Is the file system writable?",
            )


def open_place(folder: Path, account: Account, need_bytes: int) -> Place:
    """Return the place in ``folder``; a new one is created and needs ``need_bytes`` free bytes.

    Raises:
        ConflictError: another account owns the folder. UsageError: the folder cannot be created, or
        the servers' account cannot enter it. DependencyError: the disk is full.
    """
    existed = folder.is_dir()
    _make_folder(folder)
    require_own(folder)
    # As root: other accounts may enter (the servers' account must) but neither list nor read.
    folder.chmod(0o711 if account.switch else 0o700)
    if not account.can_enter(folder):
        if not existed:
            folder.rmdir()
        raise UsageError(
            f"Account '{account.name}', which runs the servers, cannot enter {folder}.",
            "Name a --folder whose parents every account may enter, such as one in /var/tmp.",
        )
    if not (folder / STATE_FILE).exists():
        free = shutil.disk_usage(folder).free
        if free < need_bytes:
            raise DependencyError(
                f"Too little room in {folder}: {need_bytes / 1e9:.1f} GB are needed, "
                f"{free / 1e9:.2f} GB are free.",
                "Free disk space, or name a folder on a larger disk by --folder.",
            )
    place = Place(folder, account)
    place.programs.mkdir(exist_ok=True)
    place.programs.chmod(0o755)
    return place


def _make_folder(folder: Path) -> None:
    """Create ``folder`` and missing parents; every account may enter them despite the umask."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
    except OSError as error:
        raise UsageError(
            f"The folder {folder} cannot be made: {error.strerror}.", "Name another by --folder."
        ) from error


def require_own(folder: Path) -> None:
    """Raise unless the caller owns ``folder``; root must not trust a folder of other accounts.

    Raises:
        ConflictError: it belongs to another account, or is a link.
    """
    info = folder.lstat()
    if info.st_uid != os.geteuid() or folder.is_symlink():
        raise ConflictError(
            f"The folder {folder} is a link or belongs to another account (uid {info.st_uid}).",
            "Use that account, or name another folder by --folder.",
        )


def checkout(working_folder: Path) -> Path:
    """Return the checkout that this package runs from; if it is installed, ``working_folder``.

    So a command finds the stack of its checkout from any folder.
    """
    root = Path(__file__).parents[2]
    return root if (root / "setup.cfg").is_file() else working_folder


def default_folder(start: Path) -> Path:
    """Return the stack's folder for a checkout or working folder ``start``.

    That is ``start/.stack`` if the servers' account can enter it and the caller owns it; else a
    folder outside, to which ``start/.stack/location`` then points. Creates and starts nothing.
    """
    start = start.absolute()
    local = start / ".stack"
    if pointed := _pointed(local):
        return pointed
    if _is_mine(local / STATE_FILE) or _can_use(local):
        return local
    return _outside(start)


def remember_folder(start: Path, folder: Path) -> None:
    """Write a pointer in ``start/.stack`` to a stack elsewhere, if ``start`` is writable."""
    local = start.absolute() / ".stack"
    if folder in {local, _pointed(local)}:
        return
    try:
        local.mkdir(exist_ok=True)
        write_private(local / _POINTER, f"{folder}\n", 0o644)
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise


def forget_folder(start: Path) -> None:
    """Remove the pointer that ``remember_folder`` wrote, if there is one."""
    (start.absolute() / ".stack" / _POINTER).unlink(missing_ok=True)


def _pointed(local: Path) -> Path | None:
    try:
        target = Path((local / _POINTER).read_text("utf-8").strip())
        return target if _is_mine(target) else None
    except OSError:
        return None


def _is_mine(path: Path) -> bool:
    try:
        return path.lstat().st_uid == os.geteuid()
    except OSError:
        return False


def _can_use(local: Path) -> bool:
    """Return whether ``local`` can hold a stack of the caller."""
    if local.exists():
        return _is_mine(local) and server_account().can_enter(local.parent)
    return os.access(local.parent, os.W_OK | os.X_OK) and server_account().can_enter(local.parent)


def _outside(start: Path) -> Path:
    name = f"{start.name}-{hashlib.sha256(os.fsencode(start)).hexdigest()[:10]}"
    if os.geteuid() == 0:
        usable = (root for root in _SHARED_ROOTS if os.access(root.parent, os.W_OK))
        return next(usable, _SHARED_ROOTS[0]) / name
    return Path.home() / ".local" / "share" / "gpt4rec" / name
