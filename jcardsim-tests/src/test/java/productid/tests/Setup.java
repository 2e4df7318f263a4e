package productid.tests;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/** Brings a card and its model to a state: by commands where any lead there, and with a screwdriver where none does. */
final class Setup {
    private final Bench bench;

    Setup(Bench bench) {
        this.bench = bench;
        send(Card.SELECT);
    }

    Setup send(String hex) {
        return step(new Step.Send(HexFormat.of().parseHex(hex), new byte[0]));
    }

    Setup contacts(boolean yes) {
        return step(new Step.Through(yes));
    }

    Setup keyed() {
        return keyed(TapUrl.P256);
    }

    Setup keyed(byte algorithm) {
        return send(Card.generateCommand(algorithm));
    }

    Setup put(int item, String value) {
        return send("802000%02x%02x".formatted(item, value.length()) + Card.hex(value.getBytes(StandardCharsets.ISO_8859_1)));
    }

    Setup configured() {
        return configured(TapUrl.P256);
    }

    Setup configured(byte algorithm) {
        return keyed(algorithm).put(1, Card.PREFIX).put(2, Card.MIDDLE);
    }

    Setup lock() {
        return send("804000000c" + Card.hex(bench.model().id));
    }

    Setup locked() {
        return locked(TapUrl.P256);
    }

    Setup locked(byte algorithm) {
        return configured(algorithm).lock();
    }

    /** The ring as it is after number n, the lap before it in the other slots. */
    Setup plant(long n) {
        for (long i = Math.max(0, n - CounterRing.SLOTS + 1); i <= n; i++) {
            int slot = (int) (i % CounterRing.SLOTS);
            for (int k = 0; k < Long.BYTES; k++) {
                bench.card.ring()[slot * Long.BYTES + k] = (byte) (CounterRing.pair(i) >>> (Long.BYTES - 1 - k) * Byte.SIZE);
            }
            bench.model().ring.put(slot, CounterRing.pair(i));
        }
        return this;
    }

    /** A bit of each of these slots falls. */
    Setup damage(int... slots) {
        for (int slot : slots) {
            bench.card.ring()[slot * Long.BYTES + 5] ^= 0x40;
            bench.model().ring.flip(slot * Long.BYTES + 5, 0x40);
        }
        return this;
    }

    /** The low byte of the complement, which each number of a slot has another one of, holds what it holds. */
    Setup wearOut(int... slots) {
        for (int slot : slots) {
            bench.card.sim.memory().wearOut(bench.card.ring(), slot * Long.BYTES + 7);
            bench.model().ring.wearOut(slot * Long.BYTES + 7);
        }
        return this;
    }

    /** Bits of the code that stands for the state fall. */
    Setup confuse(int bits) {
        Object data = Card.field(bench.card.sim.applet(), "data");
        Card.setField(data, "code", (short) ((short) Card.field(data, "code") ^ bits));
        bench.model().state = CardModel.UNKNOWN;
        return this;
    }

    private Setup step(Step step) {
        try {
            bench.step(step);
            return this;
        } catch (Bench.Finding e) {
            throw new AssertionError(step + ": " + e.getMessage(), e);
        }
    }
}
