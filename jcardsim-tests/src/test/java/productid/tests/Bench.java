package productid.tests;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import javacard.framework.ISOException;

/**
 * A card and its model side by side. Each step goes to both; what the card did otherwise than the model is a finding, and
 * so is whatever left the applet that is no status word, a signature that the model did not ask for, a persistent write
 * too many, memory left from another selection, and a secret in an answer.
 */
class Bench implements CardModel.Source {
    /** Not what the protocol says. */
    static final class Finding extends Exception {
        private static final long serialVersionUID = 1;

        Finding(String what) {
            super(what);
        }
    }

    final Card card;
    final Chip chip;
    private Innards innards;
    private final byte[] canary = new byte[512];
    private final List<byte[]> ofThisSession = new ArrayList<>();
    private final Set<Long> numbers = new HashSet<>();
    private CardModel model;
    private CardModel start;
    private byte[] image;
    private Secrets secrets = new Secrets();
    private String wrongSignature;
    private int signatures;
    private final Set<String> reached = new TreeSet<>();

    Bench(String parameter, Chip.Fault fault) {
        chip = new Chip(fault);
        card = Card.installed(parameter, chip);
        innards = new Innards(card.sim.applet());
        model = new CardModel(HexFormat.of().parseHex(parameter), fault, this);
        card.sim.powerUp();
    }

    CardModel model() {
        return model;
    }

    int signatures() {
        return signatures;
    }

    Set<String> reached() {
        return reached;
    }

    /** Remembers the card as it is, powered up anew: {@link #begin} comes back to it. */
    void save() {
        image = card.sim.image();
        start = model.copy();
    }

    /** The card as saved, with random numbers and canaries of this seed. */
    void begin(long seed) throws IOException {
        card.sim.restore(image);
        innards = new Innards(card.sim.applet());
        card.sim.contactless(true);
        model = start.copy();
        model.contact = false;
        secrets = new Secrets();
        chip.begin(seed, secrets);
        new Random(~seed).nextBytes(canary);
        secrets.keep("transient memory", canary);
        innards.privateKeys().forEach(key -> secrets.keep("private key", key));
        ofThisSession.clear();
        numbers.clear();
    }

    /** Does one thing to both; returns the card's answer, empty where there is none. */
    byte[] step(Step step) throws Finding {
        int session = model.sessions;
        byte[] answer = new byte[0];
        if (step instanceof Step.Send send) {
            secrets.keep("nonce or context", send.secret());
            answer = send(send.command());
        } else if (step instanceof Step.Through through) {
            card.sim.contactless(!through.contacts());
            model.contact = through.contacts();
        } else {
            card.sim.powerUp();
            model.powerUp();
        }
        if (model.sessions != session) {
            startSession();
        }
        return answer;
    }

    private void startSession() throws Finding {
        ofThisSession.forEach(bytes -> secrets.keep("memory of another selection", bytes));
        ofThisSession.clear();
        if (!innards.isBlank()) {
            throw new Finding("transient memory outlives its selection");
        }
        if (model.sessions % 2 == 0) {
            innards.fill(canary);
        }
    }

    private byte[] send(byte[] command) throws Finding {
        long before = card.sim.memory().writes();
        byte[] answer;
        try {
            answer = transmit(command);
        } catch (RuntimeException | Error e) {
            throw new Finding("the card broke down: " + e);
        }
        long writes = card.sim.memory().writes() - before;
        Throwable thrown = card.sim.thrown();
        require(thrown == null || thrown instanceof ISOException, "left the applet: " + thrown);
        wrongSignature = null;
        Answer expected = model.answer(command);
        innards.privateKeys().forEach(key -> secrets.keep("private key", key));
        require(secrets.in(answer) == null, "in the answer " + Card.hex(answer) + ": " + secrets.in(answer));
        require(wrongSignature == null, wrongSignature);
        require(Arrays.equals(expected.bytes(), answer), "answered " + Card.hex(answer) + ", not " + Card.hex(expected.bytes()));
        require(chip.take() == null, "a signature that nobody asked for");
        require(model.writes == CardModel.ANY_WRITES || writes == model.writes, writes + " persistent writes, not " + model.writes);
        if (command.length > 1) {
            reached.add("%02x %02x %04x".formatted(command[0], command[1], expected.status()));
        }
        return answer;
    }

    /** The card's answer; a test that plants a bug in the card puts it here. */
    byte[] transmit(byte[] command) {
        return card.sim.transmit(command);
    }

    @Override
    public byte[] publicKey(byte algorithm) {
        return innards.publicKey(algorithm);
    }

    @Override
    public byte[] signature(byte purpose, CardModel of, long counter, byte[] tail) {
        Chip.Signed signed = chip.take();
        if (signed == null) {
            wrongSignature = "no signature of number " + counter;
            return new byte[0];
        }
        TapUrl proof = new TapUrl(of.id, counter, signed.signature());
        if (!Arrays.equals(signed.bytes(), proof.signed(purpose, of.algorithm, tail))) {
            wrongSignature = "signed other bytes: " + Card.hex(signed.bytes());
        } else if (!numbers.add(counter)) {
            wrongSignature = "number " + counter + " in two signatures";
        } else {
            verify(proof, purpose, of, tail);
        }
        signatures++;
        ofThisSession.add(signed.signature());
        ofThisSession.add(Base64.getUrlEncoder().encode(signed.signature()));
        return signed.signature();
    }

    private void verify(TapUrl proof, byte purpose, CardModel of, byte[] tail) {
        try {
            proof.verify(purpose, of.algorithm, of.key, tail);
        } catch (TapUrl.Refused e) {
            wrongSignature = "signature of number " + proof.counter() + ": " + e.getMessage();
        }
    }

    @Override
    public void selfTests(CardModel of) {
        int made = 0;
        for (Chip.Signed signed = chip.take(); signed != null; signed = chip.take(), made++) {
            byte[] proof = new TapUrl(Arrays.copyOfRange(signed.bytes(), 7, 19), 0, new byte[0])
                    .signed(TapUrl.PURPOSE_REHEARSAL, of.algorithm, new byte[0]);
            if (!Arrays.equals(proof, signed.bytes())) {
                wrongSignature = "signed other bytes than a self-test: " + Card.hex(signed.bytes());
            }
            secrets.keep("self-test", signed.signature());
        }
        if (made == 0) {
            wrongSignature = "a pair that was not tested";
        }
    }

    private static void require(boolean condition, String finding) throws Finding {
        if (!condition) {
            throw new Finding(finding);
        }
    }
}
