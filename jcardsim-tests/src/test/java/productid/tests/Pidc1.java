package productid.tests;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.SignatureException;
import java.security.spec.EdECPoint;
import java.security.spec.EdECPublicKeySpec;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.NamedParameterSpec;
import java.util.Arrays;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** A second reader of docs/formats/channel.md, on the JDK's own crypto; XChaCha20 is built over its ChaCha20. */
final class Pidc1 {
    static final int HEAD = 92;
    static final int SIGNATURE = 64;
    private static final int MESSAGE_MAX = 8192;
    private static final int BODY_MAX = 7500;
    private static final int RESTRICTED_OVERHEAD = 8 + 24 + 16;
    private static final int BLOCK = 64;
    private static final byte[] DOMAIN = "pidc1/message\0".getBytes(StandardCharsets.US_ASCII);

    private Pidc1() {
    }

    /** Where in its channel a message has to fit. */
    record Place(byte[] channel, int mode, long number, byte[] previous) {
    }

    /** The body of a message; throws TapUrl.Refused with the failure class. */
    static byte[] check(byte[] message, Place place, byte[] readKey) throws TapUrl.Refused {
        requireShape(message);
        byte[] head = Arrays.copyOf(message, HEAD);
        byte[] payload = Arrays.copyOfRange(message, HEAD, message.length - SIGNATURE);
        byte[] author = Arrays.copyOfRange(head, 8, 40);
        byte[] signature = Arrays.copyOfRange(message, message.length - SIGNATURE, message.length);
        require(verifies(author, signature, concat(DOMAIN, head, TapUrl.sha256(payload))), "bad_signature");
        require(Arrays.equals(author, place.channel), "wrong_channel");
        require(ByteBuffer.wrap(head).getLong(40) == place.number && head[5] == place.mode
                && Arrays.equals(Arrays.copyOfRange(head, 48, 80), place.previous), "broken_chain");
        return place.mode == 0 ? payload : open(head, payload, readKey);
    }

    private static void requireShape(byte[] message) throws TapUrl.Refused {
        require(message.length >= HEAD + SIGNATURE && message.length <= MESSAGE_MAX, "malformed");
        ByteBuffer head = ByteBuffer.wrap(message);
        int payload = message.length - HEAD - SIGNATURE;
        require(new String(message, 0, 4, StandardCharsets.US_ASCII).equals("PIDC") && message[4] == 1
                && message[5] >= 0 && message[5] <= 1 && head.getShort(6) == 0 && head.getInt(88) == payload, "malformed");
        long number = head.getLong(40);
        require(number != 0 || Arrays.equals(Arrays.copyOfRange(message, 48, 80), new byte[32]), "malformed");
        if (message[5] == 0) {
            require(payload <= BODY_MAX, "malformed");
        } else {
            require(payload >= RESTRICTED_OVERHEAD + BLOCK && (payload - RESTRICTED_OVERHEAD) % BLOCK == 0, "malformed");
            require(Long.compareUnsigned(head.getLong(HEAD), number) <= 0, "malformed");
        }
    }

    private static byte[] open(byte[] head, byte[] payload, byte[] readKey) throws TapUrl.Refused {
        byte[] aad = concat(head, Arrays.copyOf(payload, 8));
        byte[] nonce = Arrays.copyOfRange(payload, 8, 32);
        byte[] plain;
        try {
            plain = xchacha(Cipher.DECRYPT_MODE, hkdf(readKey, info("content")), nonce, aad, Arrays.copyOfRange(payload, 32, payload.length));
        } catch (AEADBadTagException e) {
            throw new TapUrl.Refused("cannot_open");
        }
        int length = ByteBuffer.wrap(plain).getInt();
        require(length >= 0 && length <= BODY_MAX && plain.length == padded(length), "malformed");
        for (int i = 4 + length; i < plain.length; i++) {
            require(plain[i] == 0, "malformed");
        }
        return Arrays.copyOfRange(plain, 4, 4 + length);
    }

    /** The message that an author with this seed writes. keyStart, key and nonce only count in a restricted channel. */
    static byte[] write(byte[] seed, Place place, long unixMs, byte[] body, long keyStart, byte[] nonce) {
        int length = place.mode == 0 ? body.length : RESTRICTED_OVERHEAD + padded(body.length);
        byte[] head = ByteBuffer.allocate(HEAD).put("PIDC".getBytes(StandardCharsets.US_ASCII)).put((byte) 1).put((byte) place.mode)
                .putShort((short) 0).put(place.channel).putLong(place.number).put(place.previous).putLong(unixMs).putInt(length).array();
        byte[] payload = body;
        if (place.mode == 1) {
            byte[] start = ByteBuffer.allocate(8).putLong(keyStart).array();
            byte[] plain = ByteBuffer.allocate(padded(body.length)).putInt(body.length).put(body).array();
            byte[] key = hkdf(readKey(seed, keyStart, place.number), info("content"));
            try {
                payload = concat(start, nonce, xchacha(Cipher.ENCRYPT_MODE, key, nonce, concat(head, start), plain));
            } catch (AEADBadTagException e) {
                throw new IllegalStateException(e);
            }
        }
        return concat(head, payload, sign(author(seed), concat(DOMAIN, head, TapUrl.sha256(payload))));
    }

    static byte[] stub(byte[] message) {
        byte[] payload = Arrays.copyOfRange(message, HEAD, message.length - SIGNATURE);
        return concat(Arrays.copyOf(message, HEAD), TapUrl.sha256(payload),
                Arrays.copyOfRange(message, message.length - SIGNATURE, message.length));
    }

    /** The read key of message n that belongs to a key start. */
    static byte[] readKey(byte[] seed, long start, long n) {
        byte[] key = hkdf(seed, concat(info("read"), ByteBuffer.allocate(8).putLong(start).array()));
        for (long i = start; i < n; i++) {
            key = hkdf(key, info("next"));
        }
        return key;
    }

    static byte[] channel(byte[] seed) {
        byte[] encoded = author(seed).getPublic().getEncoded();
        return Arrays.copyOfRange(encoded, encoded.length - 32, encoded.length);
    }

    /** Deterministic key generation: the JDK makes an Ed25519 key of the 32 bytes its random generator gives it. */
    private static KeyPair author(byte[] seed) {
        byte[] secret = hkdf(seed, info("author"));
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("Ed25519");
            generator.initialize(NamedParameterSpec.ED25519, new SecureRandom() {
                private static final long serialVersionUID = 1;

                @Override
                public void nextBytes(byte[] bytes) {
                    System.arraycopy(secret, 0, bytes, 0, bytes.length);
                }
            });
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static byte[] sign(KeyPair author, byte[] data) {
        try {
            Signature signature = Signature.getInstance("Ed25519");
            signature.initSign(author.getPrivate());
            signature.update(data);
            return signature.sign();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean verifies(byte[] author, byte[] signature, byte[] data) {
        byte[] y = new byte[author.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = author[author.length - 1 - i];
        }
        boolean xOdd = (y[0] & 0x80) != 0;
        y[0] &= 0x7F;
        try {
            Signature check = Signature.getInstance("Ed25519");
            check.initVerify(KeyFactory.getInstance("Ed25519").generatePublic(
                    new EdECPublicKeySpec(NamedParameterSpec.ED25519, new EdECPoint(xOdd, new BigInteger(1, y)))));
            check.update(data);
            return check.verify(signature);
        } catch (SignatureException | InvalidKeyException | InvalidKeySpecException e) {
            return false;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** HKDF-SHA256 with salt "pidc1", 32 bytes: one block of expansion. */
    static byte[] hkdf(byte[] secret, byte[] info) {
        return hmac(hmac(info("pidc1"), secret), concat(info, new byte[] {1}));
    }

    private static byte[] hmac(byte[] key, byte[] data) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            return mac.doFinal(data);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): a subkey by HChaCha20, then RFC 8439 with the rest of the nonce. */
    private static byte[] xchacha(int mode, byte[] key, byte[] nonce, byte[] aad, byte[] data) throws AEADBadTagException {
        byte[] shortNonce = new byte[12];
        System.arraycopy(nonce, 16, shortNonce, 4, 8);
        try {
            Cipher cipher = Cipher.getInstance("ChaCha20-Poly1305");
            cipher.init(mode, new SecretKeySpec(hchacha(key, nonce), "ChaCha20"), new IvParameterSpec(shortNonce));
            cipher.updateAAD(aad);
            return cipher.doFinal(data);
        } catch (AEADBadTagException e) {
            throw e;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static byte[] hchacha(byte[] key, byte[] nonce) {
        int[] state = new int[16];
        ByteBuffer.wrap("expand 32-byte k".getBytes(StandardCharsets.US_ASCII)).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(state, 0, 4);
        ByteBuffer.wrap(key).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(state, 4, 8);
        ByteBuffer.wrap(nonce).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(state, 12, 4);
        for (int round = 0; round < 10; round++) {
            for (int i = 0; i < 4; i++) {
                quarter(state, i, 4 + i, 8 + i, 12 + i);
            }
            for (int i = 0; i < 4; i++) {
                quarter(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
            }
        }
        ByteBuffer out = ByteBuffer.allocate(32).order(ByteOrder.LITTLE_ENDIAN);
        out.asIntBuffer().put(state, 0, 4).put(state, 12, 4);
        return out.array();
    }

    private static void quarter(int[] x, int a, int b, int c, int d) {
        x[a] += x[b];
        x[d] = Integer.rotateLeft(x[d] ^ x[a], 16);
        x[c] += x[d];
        x[b] = Integer.rotateLeft(x[b] ^ x[c], 12);
        x[a] += x[b];
        x[d] = Integer.rotateLeft(x[d] ^ x[a], 8);
        x[c] += x[d];
        x[b] = Integer.rotateLeft(x[b] ^ x[c], 7);
    }

    private static int padded(int body) {
        return (4 + body + BLOCK - 1) / BLOCK * BLOCK;
    }

    private static byte[] info(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    static byte[] concat(byte[]... parts) {
        ByteBuffer all = ByteBuffer.allocate(Arrays.stream(parts).mapToInt(p -> p.length).sum());
        for (byte[] part : parts) {
            all.put(part);
        }
        return all.array();
    }

    private static void require(boolean condition, String failureClass) throws TapUrl.Refused {
        if (!condition) {
            throw new TapUrl.Refused(failureClass);
        }
    }
}
