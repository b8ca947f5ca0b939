"""The account that runs the servers, and the files that it can access.

Postgres and Elasticsearch refuse to run as root. Root therefore runs them as an existing
unprivileged account; none is created, and no permission outside the stack's folder changes.
"""

import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt4rec_es.errors import DependencyError, UsageError

# Environment of programs, without the caller's PGPORT, JAVA_TOOL_OPTIONS, LC_MESSAGES etc.
BARE_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True)
class Account:
    """The account that runs the servers; ``switch``: the caller is root and must change to it."""

    name: str
    uid: int
    gid: int
    switch: bool

    def popen_options(self) -> dict[str, Any]:
        """Return the keyword arguments for subprocess to start a program as this account."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_run(self, command: Sequence[str]) -> bool:
        """Run ``command`` as this account; return whether it exits with code 0."""
        try:
            done = subprocess.run(
                list(command),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd="/",
                env=BARE_ENVIRONMENT,
                timeout=60,
                check=False,
                **self.popen_options(),
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return done.returncode == 0

    def can_enter(self, folder: Path) -> bool:
        """Return whether the permission bits let this account enter ``folder`` and its parents.

        Folders that do not exist yet are ignored.
        """
        return all(self._has(part, 1) for part in (folder, *folder.parents))

    def can_read(self, path: Path) -> bool:
        """Return whether the permission bits let this account read the file ``path``."""
        return self.can_enter(path.parent) and self._has(path, 4)

    def _has(self, path: Path, bit: int) -> bool:
        try:
            info = path.stat()
        except PermissionError:
            return False
        except OSError:
            return True
        if self.uid == 0:
            return True
        groups = {self.gid} if self.switch else {self.gid, *os.getgroups()}
        shift = 6 if info.st_uid == self.uid else 3 if info.st_gid in groups else 0
        return bool(stat.S_IMODE(info.st_mode) >> shift & bit)


def server_account(name: str = "", folder: Path | None = None) -> Account:
    """Return the account for the servers: the caller or, if that is root, an unprivileged account.

    The unprivileged account is the one that ran them before in ``folder``, else ``name``, else the
    account ``nobody``.

    Raises:
        UsageError: there is no such account, it is root's, or not that of ``folder``.
    """
    uid = os.geteuid()
    if uid != 0:
        return Account(_name_of(uid), uid, os.getegid(), switch=False)
    before = _account_before(folder) if folder else None
    try:
        entry = pwd.getpwnam(name or "nobody")
    except KeyError as error:
        if before and not name:
            return before
        raise UsageError(
            f"There is no account '{name or 'nobody'}' to run the local servers as root.",
            "Name an unprivileged one by --account, or run the command as a normal user.",
        ) from error
    if entry.pw_uid == 0:
        raise UsageError(
            "Postgres and Elasticsearch refuse to run as root.",
            "Name an unprivileged account by --account.",
        )
    if before and name and before.uid != entry.pw_uid:
        raise UsageError(
            f"The servers in {folder} run as account '{before.name}'.",
            "Leave --account out, or name another --folder.",
        )
    return before or Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)


def naming_prefix(account: Account) -> list[str]:
    """Return a command prefix for programs that fail if their uid has no account name.

    Empty if the uid has a name. Otherwise the prefix runs the command in a user namespace that maps
    the uid to an existing name; files are still owned by the uid.

    Raises:
        DependencyError: user namespaces are not allowed on this machine.
    """
    try:
        pwd.getpwuid(account.uid)
    except KeyError:
        pass
    else:
        return []
    named = max(pwd.getpwall(), key=lambda entry: entry.pw_uid)
    prefix = ["unshare", "--user", f"--map-user={named.pw_uid}", f"--map-group={named.pw_gid}"]
    if not account.can_run([*prefix, "sh", "-c", "exit 0"]):
        raise DependencyError(
            f"PostgreSQL cannot make a data folder for uid {account.uid}, which has no name here.",
            "Run the command as an account listed in /etc/passwd, or set DATABASE_URL.",
        )
    return prefix


def run_detached(command: Sequence[str], folder: Path, account: Account) -> tuple[int, str]:
    """Run ``command``, which starts a server in the background, as ``account`` in ``folder``.

    Returns its exit code and output. The command runs in a new session, so that the terminal's
    signals do not reach the server; output goes to a file, because the server would keep a pipe
    open.
    """
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=BARE_ENVIRONMENT,
            start_new_session=True,
            check=False,
            **account.popen_options(),
        )
        output.seek(0)
        return done.returncode, output.read().decode("utf-8", "replace")


def _account_before(folder: Path) -> Account | None:
    """Return the account that owns the servers' data in ``folder``, if there are any."""
    for server in ("postgres", "elasticsearch", "broker"):
        try:
            info = (folder / server).lstat()
        except OSError:
            continue
        if info.st_uid != 0:
            return Account(_name_of(info.st_uid), info.st_uid, info.st_gid, switch=True)
    return None


def require_switch(account: Account) -> None:
    """Raise unless programs can be started as ``account``.

    Raises:
        DependencyError: root may not change to it (a container without CAP_SETUID).
    """
    if account.switch and not account.can_run(["/bin/sh", "-c", "exit 0"]):
        raise DependencyError(
            f"This root may not run programs as account '{account.name}' (uid {account.uid}).",
            "Run the command as a normal user, or name another account by --account.",
        )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
