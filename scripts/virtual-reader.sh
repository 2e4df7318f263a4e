#!/usr/bin/env bash
# Puts a virtual card into a real PC/SC reader: pcscd with the vpcd driver, and our applet in the simulator behind it.
# Prints `reader NAME` when the card is on the reader, then stays until its standard input closes or it gets SIGTERM, and ends
# what it started. Arguments go to the virtual card (--state FILE, --trace FILE, ...). Exit code 3: pcscd cannot run here.
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

command -v pcscd >/dev/null || cannot "pcscd is not installed"
[ -e "$driver" ] || cannot "vsmartcard-vpcd is not installed"

if pidof pcscd >/dev/null; then
  port=$((0x8C7B)) # what Debian's vsmartcard-vpcd configures
  listening "$port" || cannot "another pcscd is running and has no virtual reader"
else
  [ "$(id -u)" = 0 ] || cannot "pcscd is not running and only root can start it"
  mkdir -p "${socket%/*}" "$work/readers"
  port=$(free_port)
  printf 'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:0x%04X\nLIBPATH %s\nCHANNELID 0x%04X\n' "$port" "$driver" "$port" >"$work/readers/vpcd"
  rm -f "$socket"
  pcscd --foreground --config "$work/readers" >"$work/pcscd.log" 2>&1 &
  children+=($!)
  for _ in $(seq 100); do [ -S "$socket" ] && listening "$port" && break; sleep 0.05; done
  [ -S "$socket" ] || { cat "$work/pcscd.log" >&2; cannot "pcscd did not start"; }
fi

exec 8<&0
mkfifo "$work/card"
"$scripts/virtual-card.sh" --vpcd "127.0.0.1:$port" "$@" >"$work/card" 8<&- &
children+=($!)
read -r ready <"$work/card" || { echo "virtual reader: the virtual card did not start" >&2; exit 1; }
[ "${ready%% *}" = ready ] || { echo "virtual reader: $ready" >&2; exit 1; }
echo "reader Virtual PCD 00 00"

cat <&8 >/dev/null &
children+=($!)
wait -n
