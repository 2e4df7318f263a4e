package productid.tests;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;

/**
 * Makes what a hostile reader does: phrases of commands that belong together, so that the card gets deep into its states,
 * and damage to some of them. It knows the card by its model, as such a reader would by its answers.
 */
final class Grammar {
    private static final int NO_LE = -1;
    private static final byte[] NOTHING = new byte[0];
    private static final double[] DAMAGE = {0, 0.02, 0.1, 0.3, 0.7};
    private static final int[] PATIENCE = {1, 3, 8, 30};
    private static final int[] OFFSETS = {0, 0, 0, 1, 2, 3, 7, 14, 15, 16, 100, 0xE7, 0xE8, 0xE9, 0xFF, 0x100, 0x1E9, 0x1EA, 0x1EB, 0x1EC, 0x7FFF};
    private static final int[] LE = {0, 0, 1, 2, 15, 0x3B, 0xE8, 0xF6, 0xFF};
    private static final List<String> FOREIGN = List.of("00A4040007D276000085010000", "00A4040007D276000085010200",
            "00A4040008A00000015100000000", "00A4040000", "00A40400", "00A404000AD2760000850101000000", "00A4040009F05049444341524401",
            "00A404000710D2760000850101", "00A4040005D276000085", "00A4040001D2", "00A4040206D27600008501", "00A4040C07D2760000850101",
            "00A4040107D2760000850101", "01A4040007D276000085010100", "00A4000C023F00", "00A4000C02E105", "00A4000C020000", "00A40000",
            "00A4080C04E103E104", "00A4010C02E103", "00A4020C02E104", "00A40C00", "0070000001", "0070800100", "00C0000000", "00D6000002FFFF",
            "00D60000020000", "00B1000004540200000F", "00CA006E00", "0020008108FFFFFFFFFFFFFFFF", "0084000008", "0082000000", "80CA9F7F00",
            "80500000081122334455667788", "80E60C0000", "80D8000000", "84820000100000000000000000000000000000000000", "0010010000", "A0A40000023F00",
            "FFCA000000", "80100100", "8010020000", "801001000100", "80300000", "8040000000", "8020000100", "80B0000000", "0021000400", "E0");

    private final Random random;
    private final CardModel card;
    private final byte usual;
    /** The share of commands that are damaged in this life. */
    private final double damage;
    /** The most reads in a row: few of them let a life have many selections. */
    private final int patience;

    /** Asks mostly for a key of the usual algorithm. */
    Grammar(Random random, CardModel card, byte usual) {
        this.random = random;
        this.card = card;
        this.usual = usual;
        patience = PATIENCE[random.nextInt(PATIENCE.length)];
        damage = DAMAGE[random.nextInt(DAMAGE.length)];
    }

    /** What comes next: one step or many. */
    List<Step> phrase() {
        List<Step> phrase = new ArrayList<>();
        switch (random.nextInt(40)) {
            case 0 -> phrase.add(new Step.Activate());
            case 1 -> phrase.add(new Step.Through(random.nextBoolean()));
            case 2 -> generate(phrase);
            case 3 -> lock(phrase);
            case 4, 5, 6 -> challenge(phrase);
            case 7, 8, 9 -> foreign(phrase);
            case 10, 11 -> garbage(phrase);
            case 12, 13 -> phone(phrase);
            case 14, 15, 16, 17, 18, 19 -> put(phrase);
            case 20, 21, 22, 23, 24 -> inspect(phrase);
            case 25, 26, 27, 28 -> select(phrase);
            default -> reads(phrase);
        }
        if (!card.isSelected() && random.nextInt(3) > 0) {
            phrase.add(0, send(HexFormat.of().parseHex(Card.SELECT)));
        }
        phrase.replaceAll(step -> step instanceof Step.Send send && random.nextDouble() < damage ? damaged(send) : step);
        return phrase;
    }

    private Step damaged(Step.Send send) {
        byte[] command = send.command();
        do {
            command = command.length == 0 ? command : Mutation.of(command, random);
        } while (random.nextInt(3) == 0);
        return new Step.Send(command, send.secret());
    }

    private void select(List<Step> phrase) {
        phrase.add(command(0x00, 0xA4, 0x04, 0x00, HexFormat.of().parseHex("D2760000850101"), random.nextBoolean() ? 0 : NO_LE));
        file(phrase);
    }

    private void file(List<Step> phrase) {
        byte[] file = {(byte) 0xE1, (byte) (random.nextInt(4) == 0 ? 3 : 4)};
        phrase.add(command(0x00, 0xA4, 0x00, random.nextBoolean() ? 0x0C : 0, file, random.nextBoolean() ? 0 : NO_LE));
    }

    /** As a phone reads: container, NLEN, then the message in pieces of one size. */
    private void phone(List<Step> phrase) {
        phrase.add(send(HexFormat.of().parseHex(Card.SELECT)));
        phrase.add(send(HexFormat.of().parseHex(Card.SELECT_CC)));
        phrase.add(read(0, 15));
        phrase.add(send(HexFormat.of().parseHex(Card.SELECT_NDEF)));
        phrase.add(read(0, 2));
        int piece = 16 + random.nextInt(230);
        int end = card.hasLongMessage() ? 0x1EB : 0xE8;
        for (int at = 2; at < end; at += piece) {
            phrase.add(read(at, Math.min(piece, end - at)));
        }
    }

    private void reads(List<Step> phrase) {
        if (random.nextInt(4) == 0) {
            file(phrase);
        }
        for (int i = random.nextInt(patience); i >= 0; i--) {
            int offset = random.nextInt(3) == 0 ? random.nextInt(card.hasLongMessage() ? 0x200 : 0x100) : OFFSETS[random.nextInt(OFFSETS.length)];
            phrase.add(read(offset, random.nextInt(3) == 0 ? random.nextInt(256) : LE[random.nextInt(LE.length)]));
        }
    }

    private void inspect(List<Step> phrase) {
        for (int i = random.nextInt(8); i >= 0; i--) {
            switch (random.nextInt(4)) {
                case 0 -> phrase.add(command(0x80, 0x01, 0, 0, NOTHING, 0));
                case 1 -> phrase.add(command(0x80, 0x02, 0, 0, NOTHING, 0));
                default -> phrase.add(command(0x80, 0x21, random.nextInt(4) / 3, random.nextInt(7), NOTHING,
                        random.nextInt(4) == 0 ? random.nextInt(256) : 0));
            }
        }
    }

    private void put(List<Step> phrase) {
        int item = 1 + random.nextInt(3);
        String value = switch (item) {
            case 1 -> Texts.prefix(random);
            case 2 -> Texts.middle(random);
            default -> Texts.profile(random);
        };
        phrase.add(command(0x80, 0x20, 0, item, value.getBytes(StandardCharsets.ISO_8859_1), NO_LE));
    }

    private void challenge(List<Step> phrase) {
        byte[] secret = new byte[random.nextInt(8) == 0 ? random.nextInt(255) : 16 + random.nextInt(40)];
        random.nextBytes(secret);
        byte[] data = new byte[1 + secret.length];
        data[0] = (byte) (random.nextInt(8) == 0 ? 14 + random.nextInt(22) : Math.min(32, 16 + random.nextInt(17)));
        System.arraycopy(secret, 0, data, 1, secret.length);
        Step.Send send = command(0x80, 0x30, 0, 0, data.length > 255 ? NOTHING : data, 0);
        phrase.add(new Step.Send(send.command(), secret));
    }

    private void generate(List<Step> phrase) {
        if (random.nextInt(4) == 0) {
            phrase.add(command(0x80, 0x10, random.nextInt(8) == 0 ? random.nextInt(4) : usual, 0, NOTHING, 0));
        }
    }

    private void lock(List<Step> phrase) {
        byte[] id = card.id.clone();
        if (random.nextInt(8) > 0) {
            id[random.nextInt(id.length)] ^= (byte) (1 << random.nextInt(8));
        }
        phrase.add(command(0x80, 0x40, 0, 0, id, NO_LE));
    }

    private void foreign(List<Step> phrase) {
        phrase.add(send(HexFormat.of().parseHex(Texts.pick(random, FOREIGN))));
    }

    private void garbage(List<Step> phrase) {
        byte[] bytes = new byte[random.nextInt(4) == 0 ? random.nextInt(300) : random.nextInt(8)];
        random.nextBytes(bytes);
        if (bytes.length > 1 && random.nextBoolean()) {
            bytes[0] = (byte) (random.nextBoolean() ? 0x80 : 0x00);
            bytes[1] = (byte) (new int[] {0x01, 0x02, 0x10, 0x20, 0x21, 0x30, 0x40, 0xA4, 0xB0})[random.nextInt(9)];
        }
        phrase.add(send(bytes));
    }

    private Step.Send read(int offset, int le) {
        return command(0x00, 0xB0, offset >> 8, offset & 0xFF, NOTHING, le);
    }

    private static Step.Send send(byte[] command) {
        return new Step.Send(command, NOTHING);
    }

    private static Step.Send command(int cla, int ins, int p1, int p2, byte[] data, int le) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {(byte) cla, (byte) ins, (byte) p1, (byte) p2});
        if (data.length > 0) {
            out.write(data.length);
            out.writeBytes(data);
        }
        if (le != NO_LE) {
            out.write(le);
        }
        return send(out.toByteArray());
    }
}
