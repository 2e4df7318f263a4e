#!/bin/sh
# Starts virtual cards with our applet, as scripts/virtual-card.sh --tcp 127.0.0.1:0. Without options it says which there are.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
sim=$root/jcardsim-tests/target
applet=$root/applet/build/classes

if [ ! -f "$sim/classes/productid/sim/VirtualCard.class" ] || [ ! -f "$applet/productid/card/ProductIdApplet.class" ]; then
  echo "virtual-card: the simulator or the applet is not compiled" >&2
  echo "they are built from jcardsim-tests/ and applet/, with a JDK 17, Maven and Ant" >&2
  echo "run: make build" >&2
  exit 1
fi

exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$sim/classes:$sim/lib/*:$applet" productid.sim.VirtualCard "$@"
