#!/usr/bin/env bash
# Builds hornet, the coordinator and the keeper into a cache folder named after this module's files, and prints the folder. When they are
# there it does nothing; the first time takes about five minutes. "build.sh where" prints the folder alone.
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C

# host/devnet computes the same name: SHA-256 of what sha256sum says of go.mod, go.sum and all Go files but tests, sorted by path.
key=$(find . -name '*.go' ! -name '*_test.go' -o -name go.mod -o -name go.sum | sed 's#^\./##' | sort | xargs sha256sum | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/productid/devnet/$key
[ "${1:-}" != where ] || { echo "$cache"; exit; }

if [ ! -x "$cache/hornet" ] || [ ! -x "$cache/coordinator" ] || [ ! -x "$cache/keeper" ]; then
  echo "devnet: building hornet, the coordinator and the keeper (about five minutes the first time)" >&2
  mkdir -p "$(dirname "$cache")"
  new=$(mktemp -d "$cache.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  go build -ldflags '-s -w' -o "$new/keeper" ./keeper
  go build -ldflags '-s -w' -o "$new/coordinator" ./coordinator
  go build -ldflags '-s -w' -o "$new/hornet" github.com/iotaledger/hornet/v2
  chmod 755 "$new"
  rm -rf "$cache"
  mv "$new" "$cache"
fi
echo "$cache"
