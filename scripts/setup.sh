#!/usr/bin/env bash
# Installs what building, testing and the demo need on Debian or Ubuntu. It says what it installs, changes nothing when all is there,
# and works as root or through sudo. On another system it lists what is missing and stops.
set -euo pipefail
cd "$(dirname "$0")/.."

# command or file that must be there | Debian package that brings it
needs='gcc|gcc
/usr/include/stdlib.h|libc6-dev
pkg-config|pkg-config
/usr/include/PCSC/winscard.h|libpcsclite-dev
pcscd|pcscd
/usr/lib/pcsc/drivers/serial/libifdvpcd.so|vsmartcard-vpcd
opensc-tool|opensc
scriptor|pcsc-tools
unshare|util-linux
zbarimg|zbar-tools
/usr/lib/python3/dist-packages/smartcard/__init__.py|python3-pyscard
javac|openjdk-17-jdk-headless
ant|ant
mvn|maven
strace|strace
/usr/lib/postgresql/*/bin/postgres|postgresql
/usr/lib/python3/dist-packages/cryptography/__init__.py|python3-cryptography
/usr/lib/python3.*/ensurepip/__init__.py|python3-venv
chromium|chromium
php|php-cli
node|nodejs
npm|npm
curl|curl
systemd-analyze|systemd
git|git
/etc/ssl/certs/ca-certificates.crt|ca-certificates'

say() { printf 'setup: %s\n' "$*" >&2; }

# Runs a command and shows what it says only when it fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" >"$log" 2>&1 || { cat "$log" >&2; return 1; }; }

present() { case $1 in chromium) command -v chromium chromium-browser >/dev/null ;; /*) compgen -G "$1" >/dev/null ;; *) PATH=$PATH:/usr/sbin command -v "$1" >/dev/null ;; esac; }

# A newer Debian names its default JDK otherwise, and Ubuntu its Chromium.
package() {
  if apt-cache show "$1" >/dev/null 2>&1; then echo "$1"; return; fi
  case $1 in
    openjdk-17-jdk-headless) echo default-jdk-headless ;;
    chromium) echo chromium-browser ;;
    *) echo "$1" ;;
  esac
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
while IFS='|' read -r probe name; do present "$probe" || missing+=("$name"); done <<<"$needs"

if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    say "this is no Debian or Ubuntu; please install: ${missing[*]}"
    exit 1
  fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    say "not root and no sudo; please install: ${missing[*]}"
    exit 1
  fi
  say "installing ${missing[*]}"
  quietly as_root apt-get update -qq
  packages=()
  for name in "${missing[@]}"; do packages+=("$(package "$name")"); done
  # The tests start a PostgreSQL server of their own: Debian's package is not to start one, unless this machine has it already.
  if [[ " ${packages[*]} " = *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    as_root mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

if ! command -v go >/dev/null; then
  say "Go 1.26 or newer is missing; Debian 12 has none new enough: install it from go.dev/dl and put it on PATH"
  exit 1
fi
if ! go list -m >/dev/null 2>&1; then
  say "$(go version) is too old for this module (see go.mod) and may not fetch a newer one: install Go 1.26 from go.dev/dl"
  exit 1
fi

if ! GOFLAGS=-mod=mod GOPROXY=off go mod download >/dev/null 2>&1; then
  say "fetching Go modules"
  quietly go mod download
fi

simulator=3.0.6.0
if [ ! -f "$HOME/.m2/repository/com/klinec/jcardsim/$simulator/jcardsim-$simulator.jar" ]; then
  say "fetching the Java Card simulator and the test libraries"
  quietly mvn -B -Dstyle.color=never -f jcardsim-tests/pom.xml dependency:go-offline
fi

# What the website's, the API's and the tag's tests use, in the user's cache: made by one run at a time, and whole when its marker is there.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/productid
mkdir -p "$cache"
exec 9>"$cache/setup.lock"
flock 9

# schemathesis asks a running API everything that its OpenAPI document allows, and much that it does not.
schemathesis=$cache/schemathesis-4.32.5
if [ ! -f "$schemathesis/complete" ]; then
  say "installing schemathesis for the tests of the API"
  rm -rf "$schemathesis"
  quietly /usr/bin/python3 -m venv "$schemathesis"
  quietly "$schemathesis/bin/pip" install -q --disable-pip-version-check -r scripts/schemathesis.txt
  touch "$schemathesis/complete"
fi

# ndeflib reads our tags' messages, beside Debian's pyscard and cryptography.
ndeflib=$cache/ndeflib-0.3.3
if [ ! -f "$ndeflib/complete" ]; then
  say "installing ndeflib for the tests of the tag"
  rm -rf "$ndeflib"
  quietly /usr/bin/python3 -m venv --system-site-packages "$ndeflib"
  quietly "$ndeflib/bin/pip" install -q --disable-pip-version-check --require-hashes -r scripts/ndeflib.txt
  touch "$ndeflib/complete"
fi

# axe-core looks at pages as people do who cannot see, or use no mouse. Its script travels in a Maven artifact.
axe=$cache/axe-core-4.11.0/axe.min.js
if [ ! -f "$axe" ]; then
  say "fetching axe-core for the tests of the website"
  jar=$HOME/.m2/repository/com/deque/html/axe-core/selenium/4.11.0/selenium-4.11.0.jar
  quietly mvn -B -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.9.0:get -Dartifact=com.deque.html.axe-core:selenium:4.11.0 -Dtransitive=false
  unpacked=$(mktemp -d -p "$cache")
  trap 'rm -rf "$log" "$unpacked"' EXIT
  (cd "$unpacked" && jar xf "$jar" axe.min.js)
  if ! echo "e9e5863c33a874f09bc01acd9234b7e3c871479f5eef8802fa582544465e6d01  $unpacked/axe.min.js" | sha256sum --quiet -c - >&2; then
    say "axe.min.js in $jar is not the one that these tests were written with"
    exit 1
  fi
  mkdir -p "$(dirname "$axe")"
  mv "$unpacked/axe.min.js" "$axe"
fi

# digital-link.js tells which addresses follow the grammar of GS1. It is one script in an npm package.
links=$cache/digital-link.js-1.4.3/digital-link.js
if [ ! -f "$links" ]; then
  say "fetching digital-link.js for the tests of GS1 addresses"
  fetched=$(mktemp -d -p "$cache")
  trap 'rm -rf "$log" "${unpacked:-}" "$fetched"' EXIT
  quietly npm pack --silent --ignore-scripts --pack-destination "$fetched" digital-link.js@1.4.3
  sum=969f864d5c6e3c7829510872cabe191fc497c413b08ed9ea1c1e2df0b293e6e4adc14bccf1ea9ba1e71ef239d6be66471c60bf6a864d7d6b6dcb3ecb1af7b571
  if ! echo "$sum  $fetched/digital-link.js-1.4.3.tgz" | sha512sum --quiet -c - >&2; then
    say "digital-link.js 1.4.3 is not the one that these tests were written with"
    exit 1
  fi
  tar -xzf "$fetched/digital-link.js-1.4.3.tgz" -C "$fetched" package/dist/digital-link.js.browser.js
  mkdir -p "$(dirname "$links")"
  mv "$fetched/package/dist/digital-link.js.browser.js" "$links"
fi
