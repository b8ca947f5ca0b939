#!/usr/bin/env bash
# Makes the environment of the oracles, libraries that need another NumPy, in FOLDER, and writes
# their figures for tests anew. Its torch is that of the project's environment VENV.
# Usage: oracles.sh VENV FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
folder=$2
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
done="$folder/.installed"

if ! cmp --silent requirements/oracles.lock "$done"; then
  echo "Installing the oracles into $folder: 0.1 GB to download; LightFM is compiled."
  "$venv/bin/python" -m venv --clear "$folder"
  "$folder/bin/python" -m pip install --quiet --require-hashes --no-deps -r requirements/oracles.lock
  site='import sysconfig; print(sysconfig.get_path("purelib"))'
  # After the oracles' own packages, so that of equal ones theirs count.
  "$venv/bin/python" -c "$site" > "$("$folder/bin/python" -c "$site")/zz_project.pth"
  cp requirements/oracles.lock "$done"
fi
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
"$folder/bin/python" benchmarks/rectools_values.py tests/data/rectools.json
"$folder/bin/python" benchmarks/ntxent_values.py tests/data/ntxent.json
"$folder/bin/python" -W ignore benchmarks/oracles.py tests/data/oracles.json
