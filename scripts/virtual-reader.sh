#!/usr/bin/env bash
# Puts a virtual card into a real PC/SC reader: pcscd with the vpcd driver, and our applet in the simulator behind it.
# Prints `reader NAME` when the card is on the reader, then stays until its standard input closes or it gets SIGTERM, and ends
# what it started. Arguments go to the virtual card (--state FILE, --trace FILE, ...). Exit code 3: pcscd cannot run here.
#
# With --private alone it starts an empty reader on a pcscd of its own, which no other program meets and which meets no other pcscd: in
# a mount namespace, where one can be made, so that its socket lies elsewhere. It prints `socket PATH` (programs that are to use it have PATH in
# PCSCLITE_CSOCK_NAME), `vpcd HOST:PORT` (where virtual-card.sh --vpcd puts a card into the reader) and `reader NAME`.
set -euo pipefail
scripts=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin
socket=/run/pcscd/pcscd.comm
driver=/usr/lib/pcsc/drivers/serial/libifdvpcd.so
work=$(mktemp -d)
children=()

finish() {
  trap - EXIT INT TERM
  for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 0' INT TERM

cannot() { echo "virtual reader: $*" >&2; exit 3; }

listening() { (exec 9<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# vpcd takes two neighbouring ports for each entry of its configuration.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 20000))
    listening "$port" || listening $((port + 1)) || { echo "$port"; return; }
  done
}

# Stays until the standard input closes or something that was started ends.
exec 8<&0
stay() {
  cat <&8 >/dev/null &
  children+=($!)
  wait -n
  exit
}

# A pcscd in a mount namespace of its own is nobody else's.
running() {
  local pid theirs ours
  ours=$(readlink /proc/self/ns/mnt)
  for pid in $(pidof pcscd); do
    theirs=$(readlink "/proc/$pid/ns/mnt") || theirs=$ours # of another user: the machine's
    [ "$theirs" != "$ours" ] || return 0
  done 2>/dev/null
  return 1
}

configure() {
  mkdir -p "$work/readers"
  printf 'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:0x%04X\nLIBPATH %s\nCHANNELID 0x%04X\n' "$1" "$driver" "$1" >"$work/readers/vpcd"
}

# Starts pcscd, by way of the command given, and waits for its socket and for the driver's port.
start() {
  local socket=$1 port=$2
  shift 2
  configure "$port"
  "$@" pcscd --foreground --config "$work/readers" >"$work/pcscd.log" 2>&1 &
  children+=($!)
  for _ in $(seq 1200); do # a minute, for busy machines
    [ -S "$socket" ] && listening "$port" && return
    kill -0 "${children[-1]}" 2>/dev/null || break
    sleep 0.05
  done
  cat "$work/pcscd.log" >&2
  cannot "pcscd did not start"
}

# Makes the machine's own place free for a pcscd.
claim() {
  [ "$(id -u)" = 0 ] || cannot "pcscd is not running and only root can start it"
  mkdir -p "${socket%/*}"
  rm -f "$socket"
}

command -v pcscd >/dev/null || cannot "pcscd is not installed"
[ -e "$driver" ] || cannot "vsmartcard-vpcd is not installed"

if [ "$*" = --private ]; then
  port=$(free_port)
  apart=(unshare --mount)
  "${apart[@]}" true 2>/dev/null || apart=(unshare --map-root-user --mount)
  if "${apart[@]}" true 2>/dev/null; then
    own=$work/run/pcscd.comm
    mkdir "$work/run"
    chmod 755 "$work"
    # shellcheck disable=SC2016 # expands in the namespace
    start "$own" "$port" "${apart[@]}" sh -c 'mkdir -p "$1" && mount --bind "$0" "$1" && shift && exec "$@"' "$work/run" "${socket%/*}"
  else # as in a container that is let do little: the machine's place, if it is free
    own=$socket
    running && cannot "another pcscd is running and no mount namespace can be made"
    claim
    start "$own" "$port"
  fi
  printf 'socket %s\nvpcd 127.0.0.1:%s\nreader Virtual PCD 00 00\n' "$own" "$port"
  stay
fi

if running; then
  port=$((0x8C7B)) # what Debian's vsmartcard-vpcd configures
  listening "$port" || cannot "another pcscd is running and has no virtual reader"
else
  claim
  port=$(free_port)
  start "$socket" "$port"
fi

mkfifo "$work/card"
"$scripts/virtual-card.sh" --vpcd "127.0.0.1:$port" "$@" >"$work/card" 8<&- &
children+=($!)
read -r ready <"$work/card" || { echo "virtual reader: the virtual card did not start" >&2; exit 1; }
[ "${ready%% *}" = ready ] || { echo "virtual reader: $ready" >&2; exit 1; }
echo "reader Virtual PCD 00 00"

stay
