#!/usr/bin/env bash
# Writes main.lock and torch.lock from setup.cfg. Needs the `uv` resolver (pip install uv).
set -euo pipefail
cd "$(dirname "$0")/.."
torch_family='^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)=='
all=$(mktemp)
trap 'rm -f "$all"' EXIT
echo 'torch==2.13.0' > "$all.constraint"
uv pip compile setup.cfg --extra local --extra test --extra dev --constraint "$all.constraint" \
  --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
  --generate-hashes --no-header --no-annotate --quiet --output-file "$all" >/dev/null
rm -f "$all.constraint"
# A requirement and its hash lines form one block: split the blocks by name.
awk -v family="$torch_family" '/^[a-z]/ { keep = ($0 ~ family) } keep' "$all" > requirements/torch.lock
awk -v family="$torch_family" '/^[a-z]/ { keep = ($0 !~ family) } keep' "$all" > requirements/main.lock
