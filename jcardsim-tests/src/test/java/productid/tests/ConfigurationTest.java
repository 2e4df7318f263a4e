package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.Silicon;
import productid.tests.Card.Life;

/** PUT DATA and GET DATA: what may be on a card for ever, and what the card refuses to become. */
class ConfigurationTest {
    private Card card;

    @BeforeEach
    void makeKey() {
        card = Card.installed().keyed();
    }

    @ParameterizedTest
    @CsvSource({
        "https://tap.example.com/t?i=, &c=",
        "https://tap.example.com?i=, &c=",
        "https://tap.example.com:8443/a/b?lang=en&i=, &c=",
        "https://id.example.com/01/09506000134352/21/, ?c=",
        "https://id.example.com/01/09506000134352/21/AB-1?i=, &c=",
        "https://tap.example.com/%C3%a9?i=, &utm=x&c=",
        "https://tap.example.com/@me/a&c=b/t?nr=1&i=, &size=4&c=",
    })
    void aGoodTemplateMakesGoodUrls(String prefix, String middle) {
        card.put(1, prefix);
        card.put(2, middle);
        assertEquals(prefix, text("8021000100"));
        assertEquals(middle, text("8021000200"));
        card.lock();
        String url = card.tapUrl();
        assertEquals(prefix + Card.idText(card.info().id()) + middle + "00000001&s=", url.substring(0, url.length() - 86));
        assertEquals("ok", card.classify(url));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "http://tap.example.com/t?i=", "HTTPS://tap.example.com/t?i=", "ftp://tap.example.com/?i=", "https:/tap.example.com/?i=",
        "https://?i=", "https:///t?i=", "https://user@tap.example.com/?i=", "https://tap.example.com/#x?i=",
        "https://tap.example.com/?i=#", "https://tap.example.com/t?k=", "https://tap.example.com/t?i", "https://tap.example.com/t?xi=",
        "https://tap.example.com/t i=", "https://tap.example.com/\"?i=", "https://tap.example.com/%?i=", "https://tap.example.com/%G0?i=",
        "https://tap.example.com/?c=1&i=", "https://tap.example.com/?i=1&i=", "https://tap.example.com/?s=1&i=",
        "https://tap.example.com/?v=2&i=", "https://tap.example.com/?k=1&i=", "https://tap.example.com/?n=1&i=",
        "https://tap.example.com/?x=1&i=", "https://tap.example.com/?x&i=", "https://tap.example.com/?%63=1&i=",
        "https://tap.example.com/21/?i", "https://21/", "https://tap.example.com/", "i=", "https://", "https://tap.ex%61mple.com/?i=",
        "https://tap.example.com/%0G?i=", "https://tap.example.com/%4?i=", "https://tap.example.com/#/21/", "https://tap.example.com/ /21/",
        "https://tap.example.com/?21/", "https:///21/", "https://tap.example.com/?q=/21/",
        "https://tap.example.com/?yi=", "https://tap.example.com/?ix", "https://tap.example.com/?a=1&s=2&i=",
    })
    void aBadPrefixIsRefused(String prefix) {
        card.refuses("6a80", Card.putCommand(1, prefix));
        card.refuses("6985", "8021000100");
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "c=", "&c", "&c=1", "#c=", "&s=1&c=", "&i=1&c=", "&v=2&c=", "&x=challenge&c=", "&%73=1&c=", "& c=", "&c=&c=", "?v=2&c=", "xc=",
        "&k=", "&yc=", "&cx", "&==", "&a=1&s=2&c=",
    })
    void aBadMiddleIsRefused(String middle) {
        card.refuses("6a80", Card.putCommand(2, middle));
        card.refuses("6985", "8021000200");
    }

    @Test
    void aRefusedItemLeavesTheOldOne() {
        card.put(1, Card.PREFIX);
        card.refuses("6a80", Card.putCommand(1, "http://evil.example.com/?i="));
        assertEquals(Card.PREFIX, text("8021000100"));
    }

    @Test
    void prefixAndMiddleTogetherHave120Bytes() {
        String long116 = "https://tap.example.com/" + "p".repeat(116 - 24 - 3) + "?i=";
        card.put(1, long116);
        card.put(2, "&a&c=");
        card.refuses("6985", "804000000c" + Card.hex(card.info().id()));
        assertEquals(0, card.tap().length);
        card.put(2, Card.MIDDLE);
        card.lock();
        assertEquals(116 + 3 + 16 + 8 + 3 + 86 - 8 + 5, card.tap().length);
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_TAP);
    }

    @ParameterizedTest
    @CsvSource({"2, ?c=", "2, &c=", "1, https://id.example.com/01/09506000134352/21/", "1, https://tap.example.com/t?i="})
    void halfATemplateIsNone(int item, String half) {
        card.put(item, half);
        card.refuses("6985", "804000000c" + Card.hex(card.info().id()));
        assertEquals(0, card.tap().length);
    }

    @ParameterizedTest
    @CsvSource({"https://id.example.com/01/09506000134352/21/, &c=", "https://tap.example.com/t?i=, ?c="})
    void theQueryStartsOnceInATemplate(String prefix, String middle) {
        card.put(1, prefix);
        card.put(2, middle);
        card.refuses("6985", "804000000c" + Card.hex(card.info().id()));
        assertEquals(0, card.tap().length);
    }

    @Test
    void theProfileIsInInfo() {
        assertEquals(0, card.info().flags());
        assertEquals(0xF6, card.info().mle());
        card.ok("802000030301003b");
        assertEquals(1, card.info().flags());
        assertEquals(0x3B, card.info().mle());
    }

    @Test
    void anItemTooLongOrEmptyIsRefused() {
        card.refuses("6700", Card.putCommand(1, "https://tap.example.com/" + "p".repeat(95) + "?i="));
        card.refuses("6700", "8020000100");
        card.refuses("6a86", "802000050101");
        card.refuses("6a86", "802000000101");
        card.refuses("6a86", "80200101" + Card.putCommand(1, Card.PREFIX).substring(8));
    }

    @ParameterizedTest
    @CsvSource({"00000f, 9000", "00003b, 9000", "0000f6, 9000", "0100f6, 9000", "00000e, 6a80", "0000f7, 6a80", "008000, 6a80",
        "00ffff, 6a80", "0200f6, 6a80", "8000f6, 6a80"})
    void aProfileIsKnownFlagsAndAReadLengthThatReadersAccept(String profile, String status) {
        assertEquals(status, card.send("8020000303" + profile));
        assertEquals(status.equals("9000") ? profile : "0000f6", card.ok("8021000300").substring(4));
    }

    @ParameterizedTest
    @ValueSource(strings = {"802000030200f6", "80200003040000f600"})
    void aProfileHasThreeBytes(String command) {
        String answer = card.send(command);
        assertEquals(true, answer.equals("6700") || answer.equals("6a80"), answer);
    }

    /** The byte behind two of a profile is whatever the APDU buffer held before: here it would make a good one. */
    @Test
    void aProfileIsNotCompletedByOldBytes() {
        card.sim.silicon(new Silicon() {
            @Override
            public void received(byte[] buffer, int used) {
                Arrays.fill(buffer, used, buffer.length, (byte) 0x3B);
            }
        });
        card.refuses("6a80", "80200003020000");
        assertEquals("0000f6", card.ok("8021000300").substring(4));
    }

    @Test
    void theReadLengthOfTheProfileIsInTheCapabilityContainer() {
        card.ok("802000030300003b");
        card.select();
        card.ok(Card.SELECT_CC);
        assertEquals("000f20003b00f60406e10400e800ff", card.ok("00B000000F"));
    }

    @Test
    void theFileSizeInTheCapabilityContainerIsThatOfTheKey() {
        Map<Card, String> sizes = Map.of(Card.installed(), "00e8", card, "00e8", Card.shared(TapUrl.RSA_2048, Life.KEYED), "01eb");
        sizes.forEach((each, size) -> {
            each.ok(Card.SELECT_CC);
            assertEquals("000f2000f600f60406e104" + size + "00ff", each.ok("00B000000F"));
        });
    }

    @Test
    void anRsaKeyHasTwoParts() {
        card = Card.shared(TapUrl.RSA_2048, Life.KEYED);
        String first = card.ok("8021000400");
        String second = card.ok("8021010400");
        assertEquals("0103", first.substring(0, 4));
        assertEquals("0103", second.substring(0, 4));
        assertEquals(2 + 240, first.length() / 2);
        assertEquals(2 + 19, second.length() / 2);
        assertEquals("010001", second.substring(second.length() - 6));
        card.refuses("6b00", "8021020400");
        card.refuses("6b00", "8021ff0400");
    }

    @Test
    void thereIsNoSecondPart() {
        card.put(1, Card.PREFIX);
        card.refuses("6b00", "8021010100");
        card.refuses("6b00", "8021010400");
        card.refuses("6b00", "8021ff0400");
        card.refuses("6985", "8021010500");
        card.refuses("6a86", "8021000600");
    }

    @ParameterizedTest
    @ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
    void aChallengeOnlyCardServesNoTap(byte algorithm) {
        card = Card.shared(algorithm, Life.KEYED);
        card.put(1, Card.PREFIX);
        card.put(2, Card.MIDDLE);
        card.ok("80200003030100f6");
        card.lock();
        String url = card.tapUrl();
        assertEquals(Card.PREFIX + Card.idText(card.info().id()) + "&c=00000000&x=challenge", url);
        assertEquals("unsigned", card.classify(url));
        assertEquals(0, card.counter(), "and counts none");
        card.select();
        assertEquals(1, card.challenge(Card.NONCE, "00"));
    }

    private String text(String command) {
        byte[] answer = HexFormat.of().parseHex(card.ok(command));
        assertEquals(answer.length - 2, answer[0] << 8 | answer[1]);
        return new String(answer, 2, answer.length - 2, StandardCharsets.US_ASCII);
    }
}
