package productid.tests;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import productid.sim.Silicon;
import productid.tests.Card.Life;

/** Every state a card can be in and every command there is, for {@link TearSweepTest}. */
final class TearTable {
    private static final String PREFIX_NEW = "https://new.example.com/abc?i=";
    private static final String LONGEST = "https://new.example.com/" + "a".repeat(93) + "?i=";
    private static final String MIDDLE_NEW = "&lot=7&c=";
    private static final String PROFILE_CHALLENGE_ONLY = "80200003030100f6";
    private static final String READ = "00B0000002";
    private static final String READ_DATA = "00B0000230";
    private static final String CHALLENGE = Card.challengeCommand(Card.NONCE, "00");
    private static final int LAP = 8;

    /** A state, with the memory of a card that is in it. */
    record State(String name, byte algorithm, byte[] image) {
    }

    /** A command and what goes before it in its selection. CARD stands for the id of the card. */
    record Command(String name, List<String> before, String apdu) {
    }

    private TearTable() {
    }

    /** The states of a card with a key of this algorithm, and of one that is to get it. */
    static List<State> states(byte algorithm) {
        List<State> states = new ArrayList<>();
        states.add(state("INSTALLED", algorithm, Life.INSTALLED, card -> { }));
        states.add(state("KEYED", algorithm, Life.KEYED, card -> { }));
        states.add(state("KEYED, half a template", algorithm, Life.KEYED, card -> card.put(1, Card.PREFIX)));
        states.add(state("KEYED, configured", algorithm, Life.CONFIGURED, card -> { }));
        states.add(state("KEYED, challenge-only", algorithm, Life.CONFIGURED, card -> card.ok(PROFILE_CHALLENGE_ONLY)));
        states.add(state("LOCKED", algorithm, Life.LOCKED, card -> { }));
        states.add(state("LOCKED, second lap", algorithm, Life.LOCKED, card -> taps(card, LAP + 1)));
        states.add(state("LOCKED, challenge-only", algorithm, Life.CONFIGURED, card -> {
            card.ok(PROFILE_CHALLENGE_ONLY);
            card.lock();
        }));
        states.add(ending("KEYED, exhausted", algorithm, Life.CONFIGURED, 2));
        states.add(ending("LOCKED, one number left", algorithm, Life.LOCKED, 1));
        states.add(ending("LOCKED, exhausted", algorithm, Life.LOCKED, 2));
        return states;
    }

    /** Every command in every form that reaches another place in the applet, the refused ones among them. */
    static List<Command> commands() {
        List<Command> all = new ArrayList<>();
        add(all, "INFO", Card.INFO);
        add(all, "GET CAPABILITIES", "8002000000");
        add(all, "GENERATE P-256", Card.generateCommand(TapUrl.P256));
        add(all, "GENERATE RSA", Card.generateCommand(TapUrl.RSA_2048));
        add(all, "GENERATE unknown", "8010030000");
        add(all, "PUT prefix", Card.putCommand(1, PREFIX_NEW));
        add(all, "PUT longest prefix", Card.putCommand(1, LONGEST));
        add(all, "PUT middle", Card.putCommand(2, MIDDLE_NEW));
        add(all, "PUT profile", "80200003030000f0");
        add(all, "PUT challenge-only", PROFILE_CHALLENGE_ONLY);
        add(all, "PUT bad prefix", Card.putCommand(1, "http://h/?i="));
        for (int item = 1; item <= 5; item++) {
            add(all, "GET " + item, "802100%02x00".formatted(item));
        }
        add(all, "GET key, second part", "8021010400");
        add(all, "GET signature after CHALLENGE", "8021000500", CHALLENGE);
        add(all, "GET signature, second part", "8021010500", CHALLENGE);
        add(all, "CHALLENGE", CHALLENGE);
        add(all, "CHALLENGE again", CHALLENGE, CHALLENGE);
        add(all, "CHALLENGE after READ", CHALLENGE, Card.SELECT_NDEF, READ);
        add(all, "CHALLENGE, nonce too short", Card.challengeCommand("00", ""));
        add(all, "LOCK", "804000000cCARD");
        add(all, "LOCK another", "804000000c" + "ff".repeat(12));
        add(all, "SELECT", Card.SELECT);
        add(all, "SELECT another", "00A4040007D276000085010000");
        add(all, "SELECT container", Card.SELECT_CC);
        add(all, "SELECT file", Card.SELECT_NDEF);
        add(all, "READ container", "00B000000F", Card.SELECT_CC);
        add(all, "READ length", READ, Card.SELECT_NDEF);
        add(all, "READ data first", READ_DATA, Card.SELECT_NDEF);
        add(all, "READ data", READ_DATA, Card.SELECT_NDEF, READ);
        add(all, "READ again", READ, Card.SELECT_NDEF, READ, READ_DATA, Card.SELECT_NDEF);
        add(all, "READ after CHALLENGE", READ, CHALLENGE, Card.SELECT_NDEF);
        add(all, "READ behind the end", "00B07FFF02", Card.SELECT_NDEF);
        add(all, "READ without a file", READ);
        return all;
    }

    private static void add(List<Command> all, String name, String apdu, String... before) {
        all.add(new Command(name, List.of(before), apdu));
    }

    private static State state(String name, byte algorithm, Life life, Consumer<Card> then) {
        Card card = Card.shared(algorithm, life);
        then.accept(card);
        return new State(name, algorithm, card.sim.image());
    }

    /** A card with counterMax 2 that has used so many numbers up. */
    private static State ending(String name, byte algorithm, Life life, int taps) {
        Card card = Card.installed(Card.INSTALL_OPEN + "00000002", new Silicon()).brought(algorithm, life);
        taps(card, taps);
        return new State(name, algorithm, card.sim.image());
    }

    private static void taps(Card card, int taps) {
        for (int i = 0; i < taps; i++) {
            card.tap();
        }
    }
}
