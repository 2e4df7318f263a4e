package productid.sim;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import javacard.framework.CardRuntimeException;

/**
 * Runs virtual cards with our applet, one per endpoint, until it is killed, or with {@code --until input-ends} until its standard input
 * ends. Prints {@code ready tcp HOST:PORT} or
 * {@code ready vpcd HOST:PORT} on standard output for each endpoint once it serves, and nothing else there.
 */
public final class VirtualCard {
    private static final String APPLET = "productid.card.ProductIdApplet";
    private static final byte[] NAME = HexFormat.of().parseHex("D2760000850101");

    private VirtualCard() {
    }

    public static void main(String[] arguments) {
        try {
            Options options = Options.parse(arguments);
            for (Link link : links(options, System.out)) {
                new Thread(link).start();
            }
            if (options.untilInputEnds) {
                System.in.transferTo(OutputStream.nullOutputStream());
                System.exit(0);
            }
        } catch (IllegalArgumentException e) {
            fail(2, e.getMessage() + "\n" + Options.USAGE);
        } catch (ClassNotFoundException e) {
            fail(1, "the applet is not compiled (no class " + APPLET + ")\n"
                    + "it is compiled from applet/ and found on the class path\nrun: make build");
        } catch (LinkageError e) {
            fail(1, e.getMessage() + "\nthe simulator cannot follow what such an applet writes\n"
                    + "keep to the calls listed in productid.sim.Api, or add the call there");
        } catch (IOException e) {
            fail(1, e.getMessage() + "\nthe state or trace file cannot be used as it is\n"
                    + "move it away to start with a new card, or give another file");
        }
    }

    private static List<Link> links(Options options, PrintStream ready) throws ClassNotFoundException, IOException {
        List<Link> links = new ArrayList<>();
        for (Options.Endpoint endpoint : options.endpoints) {
            int number = links.size() + 1;
            Path file = Options.of(options.state, number);
            Optional<StateFile> state = file == null ? Optional.empty() : Optional.of(new StateFile(file));
            SimCard card = install(options.parameters);
            card.memory().commitCapacity(options.commitBuffer);
            Trace trace = new Trace(Options.of(options.trace, number));
            Slot slot = new Slot(card, state, trace, options.reader, options.drop(number));
            if (options.tear(number) > 0) {
                card.memory().tearWrite(options.tear(number));
            }
            links.add(new Link(endpoint, slot, ready));
        }
        return links;
    }

    private static SimCard install(byte[] parameters) throws ClassNotFoundException {
        try {
            return SimCard.install(APPLET, NAME, parameters);
        } catch (CardRuntimeException e) {
            throw new IllegalArgumentException("the applet is not installed with these parameters: it answers %04X"
                    .formatted(e.getReason()), e);
        }
    }

    private static void fail(int code, String message) {
        System.err.println("virtual-card: " + message);
        System.exit(code);
    }
}
