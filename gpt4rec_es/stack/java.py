"""Find a Java that can run Elasticsearch under the servers' account."""

import re
import shutil
import subprocess
from pathlib import Path

from gpt4rec_es.errors import DependencyError, UsageError
from gpt4rec_es.stack.account import BARE_ENVIRONMENT, Account

OLDEST = 17
_INSTALL = (
    f"Install Java {OLDEST} or newer (Debian: apt install openjdk-17-jre-headless), or set "
    "ELASTICSEARCH_URL to a server you have."
)


def find_java(home: Path | None, account: Account) -> Path:
    """Return the home of a suitable Java: the one named, else that of ``java`` on the PATH.

    Raises:
        UsageError: there is no Java in the named home.
        DependencyError: there is none, it is too old, or ``account`` cannot run it.
    """
    if home is not None:
        program = home.absolute() / "bin" / "java"
        if not program.is_file():
            raise UsageError(f"There is no Java in {home}.", "Correct --java-home or leave it out.")
    else:
        found = shutil.which("java")
        if found is None:
            raise DependencyError(
                "Elasticsearch needs Java, and 'java' is not on the PATH.", _INSTALL
            )
        program = Path(found).absolute()
    output = _properties(program, account)
    version = re.search(r"java\.specification\.version = (\d+)(?:\.(\d+))?", output)
    java_home = re.search(r"java\.home = (.+)", output)
    if version is None or java_home is None:
        raise DependencyError(
            f"Account '{account.name}' cannot run {program.resolve()}.",
            "Install a Java for all accounts, or name another by --java-home.",
        )
    # Java 8 reports version 1.8.
    major = int(version[2] if version[1] == "1" and version[2] else version[1])
    if major < OLDEST:
        raise DependencyError(f"Elasticsearch needs Java {OLDEST}; {program} is {major}.", _INSTALL)
    return Path(java_home[1].strip())


def _properties(program: Path, account: Account) -> str:
    try:
        done = subprocess.run(
            [str(program), "-XshowSettings:properties", "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env=BARE_ENVIRONMENT,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
            **account.popen_options(),
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return str(done.stderr)
