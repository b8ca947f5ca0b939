#!/usr/bin/env bash
# Makes the virtual environment and installs what setup.cfg asks for into it, editable.
# Usage: install.sh PYTHON VENV
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
venv=$2
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

fail() {
  echo "Error: $1" >&2
  exit 1
}

# Prints the version of the given Python's torch, if it lies within the bounds of setup.cfg.
fitting_torch() {
  "$1" - <<'PYTHON'
import importlib.metadata as metadata
import sys

try:
    found = metadata.version("torch")
except metadata.PackageNotFoundError:
    sys.exit(1)
if not (2, 10) <= tuple(map(int, found.split(".")[:2])) < (3, 0):
    sys.exit(1)
print(found)
PYTHON
}

# The locks hold for one platform; everywhere else pip chooses within the bounds of setup.cfg.
is_locked_platform() {
  [ "$(uname -sm)" = "Linux x86_64" ] &&
    "$1" -c 'import sys; sys.exit(sys.implementation.name != "cpython" or sys.version_info[:2] != (3, 11))'
}

if [ ! -x "$venv/bin/pip" ]; then
  command -v "$python" >/dev/null || fail "there is no $python. Install Python 3.11, or name one: make install PYTHON=/path/to/python3.11"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python is too old: 3.11 or newer is needed."
  site=()
  if fitting_torch "$python" >/dev/null; then
    site=(--system-site-packages)
  fi
  echo "Making the virtual environment $venv with $("$python" --version)."
  "$python" -m venv "${site[@]}" "$venv" || fail "$python cannot make virtual environments. On Debian and Ubuntu: apt install python3.11-venv"
fi

# pip shows bars on a terminal. Elsewhere a line every half minute says that it works, because it is
# silent for minutes while it unpacks gigabytes.
ticker=
trap '[ -z "$ticker" ] || kill "$ticker" 2>/dev/null' EXIT
if [ ! -t 1 ]; then
  (while sleep 30 >/dev/null 2>&1; do echo "Still installing, $SECONDS s."; done) &
  ticker=$!
fi

pip() {
  if [ -t 1 ]; then
    "$venv/bin/python" -m pip install "$@"
  else
    "$venv/bin/python" -m pip install --quiet "$@"
  fi
}

if is_locked_platform "$venv/bin/python"; then
  locks=(-r requirements/main.lock)
  if torch=$(fitting_torch "$venv/bin/python"); then
    echo "Installing into $venv: 0.2 GB to download, 0.8 GB on disk; torch $torch is there already."
  else
    echo "Installing into $venv: 2.9 GB to download, 5.4 GB on disk, nearly all of it torch with its CUDA libraries."
    locks+=(-r requirements/torch.lock)
  fi
  echo "Step 1 of 2: the libraries, some minutes."
  pip --require-hashes --no-deps "${locks[@]}"
  echo "Step 2 of 2: gpt4rec itself."
  pip --no-deps --no-build-isolation --editable .
else
  echo "Installing into $venv without the locks, which are for Linux x86-64 and Python 3.11: several GB."
  pip --editable '.[local,test,dev]'
fi
echo "Installed. Next: make demo, or $venv/bin/gpt4rec --help"
