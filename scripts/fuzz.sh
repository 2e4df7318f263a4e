#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each (default 30s).
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}
grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do
  sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$file" | while read -r target; do
    echo "== $(dirname "$file") $target"
    (cd "$(dirname "$file")" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" . </dev/null) # it may be a module of its own
  done
done
