package productid.tests;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.security.spec.RSAPublicKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * A second reader of docs/formats/tap.md: parses a tap URL and checks it by the JDK's own crypto. Shares no line with the
 * applet or the Go code, so that the three can only agree by following the document.
 */
record TapUrl(byte[] id, long counter, byte[] signature) {
    static final byte P256 = 1;
    static final byte RSA_2048 = 2;
    static final byte PURPOSE_TAP = 1;
    static final byte PURPOSE_CHALLENGE = 2;
    static final byte PURPOSE_REHEARSAL = 7;
    private static final int ID_LENGTH = 12;
    private static final int URL_MAX = 2048;
    private static final Set<String> OWN_NAMES = Set.of("i", "c", "s", "v", "k", "n", "x");

    /** Why a URL proves nothing; the message is the class as the vectors name it. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1;

        Refused(String failureClass) {
            super(failureClass);
        }
    }

    /** The failure class of a URL under a key, or "ok". */
    static String classify(String url, byte algorithm, byte[] key) {
        try {
            parse(url).verify(PURPOSE_TAP, algorithm, key, new byte[0]);
            return "ok";
        } catch (Refused e) {
            return e.getMessage();
        }
    }

    static TapUrl parse(String url) throws Refused {
        require(url.length() <= URL_MAX && url.chars().allMatch(c -> c > ' ' && c < 0x7F), "malformed");
        String whole = url.split("#", 2)[0];
        require(whole.regionMatches(true, 0, "https://", 0, 8), "malformed");
        String[] halves = whole.substring(8).split("\\?", 2);
        String[] path = halves[0].split("/", 2);
        require(!path[0].isEmpty() && !path[0].contains("@"), "malformed");
        Map<String, String> query = query(halves.length > 1 ? halves[1] : "");
        require(query.getOrDefault("v", "1").equals("1"), "unsupported");
        String id = query.containsKey("i") ? query.get("i") : serial("/" + (path.length > 1 ? path[1] : ""));
        byte[] cardId = base64(id, ID_LENGTH);
        String counterText = query.getOrDefault("c", "");
        require(counterText.matches("[0-9A-F]{8}"), "malformed");
        long counter = Long.parseLong(counterText, 16);
        String signature = query.get("s");
        if (query.containsKey("x")) {
            require(counter == 0 && signature == null && query.get("x").matches("exhausted|challenge"), "malformed");
            throw new Refused("unsigned");
        }
        require(counter != 0 && signature != null && (signature.length() == 86 || signature.length() == 342), "malformed");
        return new TapUrl(cardId, counter, base64(signature, signature.length() * 3 / 4));
    }

    /** Throws Refused unless the key hashes to the id and made this signature. */
    void verify(byte purpose, byte algorithm, byte[] key, byte[] tail) throws Refused {
        require(Arrays.equals(id, cardId(algorithm, key)), "wrong_key");
        try {
            Signature check = Signature.getInstance(algorithm == P256 ? "SHA256withECDSAinP1363Format" : "SHA256withRSA");
            check.initVerify(publicKey(algorithm, key));
            check.update(signed(purpose, algorithm, tail));
            require(signature.length == (algorithm == P256 ? 64 : 256) && check.verify(signature), "bad_signature");
        } catch (SignatureException e) {
            throw new Refused("bad_signature");
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What the card signs. */
    byte[] signed(byte purpose, byte algorithm, byte[] tail) {
        return ByteBuffer.allocate(23 + tail.length).put("PIDT".getBytes(StandardCharsets.US_ASCII)).put((byte) 1)
                .put(purpose).put(algorithm).put(id).putInt((int) counter).put(tail).array();
    }

    /** The tail of a challenge answer. */
    static byte[] challengeTail(byte[] nonce, byte[] context) {
        return sha256(ByteBuffer.allocate(2 + nonce.length + context.length)
                .putShort((short) nonce.length).put(nonce).put(context).array());
    }

    static byte[] cardId(byte algorithm, byte[] key) {
        return Arrays.copyOf(sha256(ByteBuffer.allocate(1 + key.length).put(algorithm).put(key).array()), ID_LENGTH);
    }

    static byte[] sha256(byte[] data) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(data);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Map<String, String> query(String text) throws Refused {
        Map<String, String> own = new HashMap<>();
        for (String pair : text.split("&")) {
            String[] parts = pair.split("=", 2);
            require(parts[0].equals(decoded(parts[0])) || !OWN_NAMES.contains(decoded(parts[0])), "malformed");
            if (OWN_NAMES.contains(parts[0])) {
                require(own.put(parts[0], parts.length > 1 ? parts[1] : "") == null, "malformed");
            }
        }
        return own;
    }

    private static String decoded(String name) {
        return name.matches("%[0-7][0-9A-Fa-f]") ? String.valueOf((char) Integer.parseInt(name.substring(1), 16)) : name;
    }

    /** The segment behind the last /21/. */
    private static String serial(String path) {
        int at = path.lastIndexOf("/21/");
        return at < 0 ? "" : path.substring(at + 4).split("/", 2)[0];
    }

    private static byte[] base64(String text, int length) throws Refused {
        try {
            byte[] bytes = Base64.getUrlDecoder().decode(text);
            boolean canonical = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes).equals(text);
            require(bytes.length == length && canonical, "malformed");
            return bytes;
        } catch (IllegalArgumentException e) {
            throw new Refused("malformed");
        }
    }

    private static PublicKey publicKey(byte algorithm, byte[] key) throws GeneralSecurityException {
        if (algorithm == RSA_2048) {
            return KeyFactory.getInstance("RSA").generatePublic(new RSAPublicKeySpec(
                    new BigInteger(1, Arrays.copyOf(key, 256)), new BigInteger(1, Arrays.copyOfRange(key, 256, key.length))));
        }
        AlgorithmParameters curve = AlgorithmParameters.getInstance("EC");
        curve.init(new ECGenParameterSpec("secp256r1"));
        ECPoint point = new ECPoint(new BigInteger(1, Arrays.copyOfRange(key, 1, 33)), new BigInteger(1, Arrays.copyOfRange(key, 33, 65)));
        return KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(point, curve.getParameterSpec(ECParameterSpec.class)));
    }

    private static void require(boolean condition, String failureClass) throws Refused {
        if (!condition) {
            throw new Refused(failureClass);
        }
    }
}
