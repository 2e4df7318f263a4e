package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.Silicon;

/** What is wrong is refused in one order, class, instruction, P1 and P2, state, contacts, length, value, before it has any effect. */
class RefusalTest {
    private static final String PUT_PROFILE = "03030000f6";
    private static final String CHALLENGE = Card.challengeCommand(Card.NONCE, "").substring(8);
    private static final String NO_ID = "0c" + "00".repeat(12);

    @ParameterizedTest
    @CsvSource({"INSTALLED, 8001", "INSTALLED, 8002", "KEYED, 8030", "CONFIGURED, 8040"})
    void parametersThatMeanNothingAreZero(Card.Life life, String command) {
        Card card = Card.installed().brought(TapUrl.P256, life);
        String data = switch (command) {
            case "8030" -> CHALLENGE;
            case "8040" -> "0c" + Card.hex(card.info().id());
            default -> "00";
        };
        for (String parameters : new String[] {"0100", "0001", "ff00", "00ff"}) {
            card.refuses("6a86", command + parameters + data);
        }
        card.ok(command + "0000" + data);
    }

    @Test
    void generateKeyAndPutDataHaveOneParameterEach() {
        Card card = Card.installed();
        card.refuses("6a86", "8010010100");
        card.ok(Card.GENERATE);
        card.refuses("6a86", "802001" + PUT_PROFILE);
        card.ok("802000" + PUT_PROFILE);
    }

    @Test
    void theStateComesBehindTheParameters() {
        Card card = Card.installed();
        card.refuses("6a86", "802001" + PUT_PROFILE);
        card.refuses("6a86", "80300001" + CHALLENGE);
        card.refuses("6a86", "80400001" + NO_ID);
        card.keyed().refuses("6a86", "8010010100");
    }

    @Test
    void theContactsComeBehindTheStateAndBeforeTheLength() {
        Card card = Card.installed("0301", new Silicon());
        card.refuses("6985", "802000" + PUT_PROFILE);
        card.refuses("6985", "80400000" + NO_ID);
        card.sim.contactless(false);
        card.locked();
        card.sim.contactless(true);
        card.refuses("6985", Card.GENERATE);
        card.refuses("6985", "80400000" + NO_ID);
    }

    @Test
    void theLengthComesBeforeTheValue() {
        Card card = Card.installed().configured();
        card.refuses("6700", "804000000d" + Card.hex(card.info().id()) + "00");
        card.refuses("6700", "804000000d" + "00".repeat(13));
        assertEquals(1, card.info().state());
    }

    @Test
    void theItemComesBehindTheStateAndTheContactsThePartBehindTheItem() {
        Card card = Card.installed("0301", new Silicon());
        card.refuses("6985", "802000090100");
        card.refuses("6985", "8021ff0100");
        card.sim.contactless(false);
        card.keyed();
        card.refuses("6a86", "802000090100");
        card.refuses("6b00", "8021ff0300");
        card.refuses("6a86", "8021ff0900");
        card.sim.contactless(true);
        card.refuses("6982", "802000090100");
    }

    @Test
    void whatALockOrAChallengeWantsOfTheCardComesLast() {
        Card card = Card.installed().keyed();
        card.refuses("6700", "804000000b" + "00".repeat(11));
        card.refuses("6a80", "80400000" + NO_ID);
        card.refuses("6985", "804000000c" + Card.hex(card.info().id()));
        Card exhausted = Card.withCounterMax(1).locked();
        exhausted.tap();
        exhausted.select();
        exhausted.refuses("6700", "8030000000");
        exhausted.refuses("6a80", Card.challengeCommand("00", ""));
        exhausted.refuses("6985", "80300000" + CHALLENGE);
    }

    @Test
    void lockComparesTheWholeId() {
        Card card = Card.installed().configured();
        byte[] id = card.info().id();
        for (int i = 0; i < id.length; i++) {
            id[i] ^= 1;
            card.refuses("6a80", "804000000c" + Card.hex(id));
            id[i] ^= 1;
        }
        assertEquals(1, card.info().state());
    }

    @Test
    void logicalChannelsAreThoseOfTheClass() {
        Card card = Card.installed().locked();
        for (int channel = 1; channel <= 3; channel++) {
            assertEquals(card.send(Card.INFO), card.send("8" + channel + "01000000"));
            card.ok("0" + channel + "A4000C02E103");
            assertEquals("000f", card.ok("0" + channel + "B0000002"));
        }
        for (String foreign : new String[] {"8401000000", "8801000000", "9001000000", "c001000000", "0401000000",
            "10a4000c02e104", "40b0000002"}) {
            card.refuses("6e00", foreign);
        }
    }

    /** A number would be lost although nothing can be signed with it. */
    @Test
    void anUnknownStateCountsNothing() {
        Card card = Card.installed().locked();
        Card.setField(Card.field(card.sim.applet(), "data"), "code", (short) 0);
        byte[] ring = card.ring().clone();
        card.powerUpAndSelect();
        card.refuses("6985", "80300000" + CHALLENGE);
        assertEquals(0, card.tap().length);
        assertArrayEquals(ring, card.ring());
    }

    @ParameterizedTest
    @ValueSource(strings = {"030000", "03000000", "0300000000", "03000000000700", "0300000000070000"})
    void anInstallParameterOfAnotherLengthInstallsNothing(String parameter) {
        ISOException refused = assertThrows(ISOException.class, () -> Card.installed(parameter, new Silicon()));
        assertEquals(ISO7816.SW_WRONG_LENGTH, refused.getReason());
    }
}
