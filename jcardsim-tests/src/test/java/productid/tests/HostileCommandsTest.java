package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whatever is sent, the card answers with a status word it means, changes no state it should not, and works on. */
class HostileCommandsTest {
    private static final int COMMANDS = 4000;
    private static final int[] CLASSES = {0x00, 0x00, 0x80, 0x80, 0x80, 0x81, 0x03, 0x84, 0x90, 0xFF};
    private static final int[] INSTRUCTIONS = {0x01, 0x02, 0x10, 0x20, 0x21, 0x30, 0x40, 0xA4, 0xB0, 0xB1, 0xD6};
    private static final int[] PARAMETERS = {0, 0, 0, 1, 2, 3, 4, 5, 0x0C, 0x80, 0xE8, 0xFF};

    enum Life {
        INSTALLED(card -> card), KEYED(Card::keyed), CONFIGURED(Card::configured), LOCKED(Card::locked);

        private final Function<Card, Card> begin;

        Life(Function<Card, Card> begin) {
            this.begin = begin;
        }
    }

    @ParameterizedTest
    @EnumSource
    void noneMakesTheCardFail(Life life) {
        Random random = new Random(life.ordinal());
        Card card = life.begin.apply(Card.installed());
        int state = card.info().state();
        long counter = card.counter();
        for (int i = 0; i < COMMANDS; i++) {
            String command = command(random);
            String answer = card.send(command);
            String status = answer.substring(answer.length() - 4);
            assertNotEquals("6f00", status, command);
            assertTrue(status.equals("9000") || answer.length() == 4, () -> command + " answered data and " + status);
        }
        card.powerUpAndSelect();
        assertTrue(card.info().state() == state || life == Life.INSTALLED && card.info().state() == 1);
        assertTrue(card.counter() >= counter);
        if (life == Life.LOCKED) {
            assertEquals("ok", card.classify(card.tapUrl()));
        }
    }

    private static String command(Random random) {
        StringBuilder hex = new StringBuilder("%02x%02x%02x%02x".formatted(pick(random, CLASSES), pick(random, INSTRUCTIONS),
                pick(random, PARAMETERS), pick(random, PARAMETERS)));
        int length = random.nextInt(4) == 0 ? random.nextInt(256) : random.nextInt(40);
        if (random.nextBoolean() && length > 0) {
            byte[] data = new byte[length];
            random.nextBytes(data);
            data[0] = (byte) (random.nextBoolean() ? 16 + random.nextInt(17) : data[0]);
            hex.append("%02x".formatted(length)).append(Card.hex(data));
        }
        if (random.nextBoolean()) {
            hex.append("%02x".formatted(random.nextInt(256)));
        }
        return hex.toString();
    }

    private static int pick(Random random, int[] from) {
        return from[random.nextInt(from.length)];
    }
}
