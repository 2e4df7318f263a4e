package productid.sim;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** The command line of {@link VirtualCard}. */
final class Options {
    static final String USAGE = """
            usage: virtual-card (--tcp HOST:PORT | --vpcd HOST:PORT)... [option]...
              --tcp HOST:PORT     listen; port 0 takes a free one. One card per endpoint, loopback addresses only
              --vpcd HOST:PORT    put the card into a vpcd reader that listens there
              --state FILE        keep the card's memory, keys included, over restarts (further cards: FILE.2, FILE.3, ...)
              --trace FILE        write the commands and answers as text (further cards: FILE.2, ...)
              --install HEX       installation parameters: algorithm mask, flags, counterMax
              --tear N            lose power in the N-th persistent write from now on
              --drop-response N   lose the N-th answer from now on, and power with it
                                  (either of them repeated: the first for the first card, and so on)
              --reader acr122u    put a reader with that one's limits between host and card
              --commit-buffer N   a commit buffer of N bytes, 512 if not given
              --until input-ends  end with the standard input, so with whoever holds it""";

    final List<Endpoint> endpoints = new ArrayList<>();
    Path state;
    Path trace;
    byte[] parameters = {};
    private final List<Integer> tears = new ArrayList<>();
    private final List<Integer> drops = new ArrayList<>();
    Reader reader = Reader.PLAIN;
    int commitBuffer = Memory.COMMIT_CAPACITY;
    boolean untilInputEnds;

    /** Where a card is put: a socket to listen on, or a vpcd reader to connect to. */
    record Endpoint(boolean listens, InetSocketAddress address) {
        String name() {
            return listens ? "tcp" : "vpcd";
        }
    }

    /** Throws IllegalArgumentException with the reason in words. */
    static Options parse(String[] arguments) {
        Options options = new Options();
        for (int i = 0; i < arguments.length; i += 2) {
            if (i + 1 == arguments.length) {
                throw new IllegalArgumentException(arguments[i] + " needs a value");
            }
            options.set(arguments[i], arguments[i + 1]);
        }
        if (options.endpoints.isEmpty()) {
            throw new IllegalArgumentException("no endpoint given");
        }
        return options;
    }

    private void set(String name, String value) {
        switch (name) {
            case "--tcp" -> endpoints.add(new Endpoint(true, loopback(value)));
            case "--vpcd" -> endpoints.add(new Endpoint(false, loopback(value)));
            case "--state" -> state = Path.of(value);
            case "--trace" -> trace = Path.of(value);
            case "--install" -> parameters = HexFormat.of().parseHex(value);
            case "--tear" -> tears.add(positive(name, value, 9));
            case "--drop-response" -> drops.add(positive(name, value, 9));
            case "--reader" -> reader = Reader.named(value);
            case "--commit-buffer" -> commitBuffer = positive(name, value, 4);
            case "--until" -> {
                if (!value.equals("input-ends")) {
                    throw new IllegalArgumentException("--until is input-ends, not " + value);
                }
                untilInputEnds = true;
            }
            default -> throw new IllegalArgumentException("unknown option " + name);
        }
    }

    private static InetSocketAddress loopback(String value) {
        int colon = value.lastIndexOf(':');
        if (colon < 1) {
            throw new IllegalArgumentException(value + " is not HOST:PORT");
        }
        try {
            InetAddress host = InetAddress.getByName(value.substring(0, colon));
            if (!host.isLoopbackAddress()) {
                throw new IllegalArgumentException(value + " is no loopback address: a virtual card stays on its machine");
            }
            return new InetSocketAddress(host, Integer.parseInt(value.substring(colon + 1)));
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(value + " is no host", e);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(value + " has no port number", e);
        }
    }

    private static int positive(String name, String value, int digits) {
        if (!value.matches("[1-9][0-9]{0," + (digits - 1) + "}")) {
            throw new IllegalArgumentException(name + " counts from 1, with at most " + digits + " digits, not " + value);
        }
        return Integer.parseInt(value);
    }

    /** The write that tears a card, counted from 1; 0 for none. */
    int tear(int card) {
        return turn(tears, card);
    }

    /** The answer that a card loses, counted from 1; 0 for none. */
    int drop(int card) {
        return turn(drops, card);
    }

    private static int turn(List<Integer> values, int card) {
        if (values.size() == 1) {
            return values.get(0);
        }
        return card <= values.size() ? values.get(card - 1) : 0;
    }

    /** The file of one card among several. */
    static Path of(Path file, int card) {
        return file == null || card == 1 ? file : file.resolveSibling(file.getFileName() + "." + card);
    }
}
