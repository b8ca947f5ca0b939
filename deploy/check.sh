#!/usr/bin/env bash
# Checks what is in this folder by the programs that will read it, where installed. What needs
# none of them is in tests/unit/deploy.
set -euo pipefail
cd "$(dirname "$0")"

if command -v promtool >/dev/null; then
  promtool check config prometheus/prometheus.yml >/dev/null
  promtool test rules prometheus/alerts_test.yml >/dev/null
else
  echo "promtool is not here: alerts are checked by the tests alone." >&2
fi

if command -v systemd-analyze >/dev/null; then
  units=$(mktemp -d)
  trap 'rm -rf "$units"' EXIT
  for unit in systemd/*; do
    # The programs are not where they will be installed.
    sed 's#/opt/gpt4rec/.venv/bin/[a-z0-9]*#/bin/true#' "$unit" >"$units/$(basename "$unit")"
  done
  systemd-analyze verify "$units"/*
else
  echo "systemd-analyze is not here: units are checked by the tests alone." >&2
fi
