<?php
// Checks, without asking anybody, that a visit to a product page came through ProductID's validation. One file without dependencies
// beyond PHP's own sodium, from PHP 8.1 on: copy it. docs/redirect.md explains it.

declare(strict_types=1);

namespace ProductID;

const LIFETIME = 60; // seconds
const TOLERANCE = 5; // seconds that two clocks may differ

/** Why a token is refused, in one word: the exception's message. */
final class Refusal extends \RuntimeException
{
}

/**
 * Accepts a token once, or throws a Refusal. Returns its claims.
 *
 * $issuer is the base URL of the service, $audience the origin of this site, $jwks what /.well-known/jwks.json answers, decoded, and
 * $now the time in Unix seconds. PHP forgets everything between two visits, so $first has to remember: it is given a token's id and
 * expiry, and returns whether the token was not accepted before, such as a table's INSERT or apcu_add($id, 1, LIFETIME + TOLERANCE).
 */
function verify(string $token, string $issuer, string $audience, array $jwks, int $now, callable $first): array
{
    $claims = read($token, $jwks);
    if ($claims['iss'] !== $issuer) {
        throw new Refusal('wrong_issuer');
    }
    if ($claims['aud'] !== $audience) {
        throw new Refusal('other_audience');
    }
    if ($claims['iat'] > $now + TOLERANCE) {
        throw new Refusal('not_yet');
    }
    if ($claims['exp'] < $now - TOLERANCE) {
        throw new Refusal('expired');
    }
    if (!$first($claims['jti'], $claims['exp'])) {
        throw new Refusal('used');
    }
    return $claims;
}

/** Checks form and signature. */
function read(string $token, array $jwks): array
{
    $parts = explode('.', $token);
    if (strlen($token) > 2048 || count($parts) !== 3) {
        throw new Refusal('malformed');
    }
    [$header, $payload, $signature] = array_map(decode(...), $parts);
    $h = parse($header);
    // The algorithm is ours to choose, never the token's.
    if (($h['alg'] ?? null) !== 'EdDSA' || ($h['typ'] ?? null) !== 'productid-redirect+jwt' || !is_string($h['kid'] ?? null) || $h['kid'] === '' || array_key_exists('crit', $h)) {
        throw new Refusal('malformed');
    }
    $key = key($jwks, $h['kid']);
    if ($key === null) {
        throw new Refusal('unknown_key');
    }
    if (strlen($signature) !== SODIUM_CRYPTO_SIGN_BYTES || !sodium_crypto_sign_verify_detached($signature, $parts[0] . '.' . $parts[1], $key)) {
        throw new Refusal('bad_signature');
    }
    $claims = parse($payload);
    if (!complete($claims)) {
        throw new Refusal('malformed');
    }
    return $claims;
}

/** Returns the public key with this id, or null. */
function key(array $jwks, string $id): ?string
{
    foreach ($jwks['keys'] ?? [] as $jwk) {
        if (($jwk['kid'] ?? null) === $id && ($jwk['kty'] ?? null) === 'OKP' && ($jwk['crv'] ?? null) === 'Ed25519') {
            $key = decode($jwk['x'] ?? '');
            return strlen($key) === SODIUM_CRYPTO_SIGN_PUBLICKEYBYTES ? $key : null;
        }
    }
    return null;
}

function complete(array $c): bool
{
    foreach (['iss', 'aud', 'sub', 'jti'] as $name) {
        if (!is_string($c[$name] ?? null) || $c[$name] === '') {
            return false;
        }
    }
    foreach (['ctr', 'iat', 'exp'] as $name) {
        if (!is_int($c[$name] ?? null)) {
            return false;
        }
    }
    return preg_match('/^[A-Za-z0-9_-]{16}$/D', $c['sub']) === 1 && $c['ctr'] >= 0 && $c['ctr'] < 2 ** 32 &&
        $c['iat'] > 0 && $c['exp'] === $c['iat'] + LIFETIME;
}

/** Reads base64url without padding, line breaks and stray bits. */
function decode(string $text): string
{
    try {
        $bytes = sodium_base642bin($text, SODIUM_BASE64_VARIANT_URLSAFE_NO_PADDING);
    } catch (\SodiumException) {
        throw new Refusal('malformed');
    }
    if (sodium_bin2base64($bytes, SODIUM_BASE64_VARIANT_URLSAFE_NO_PADDING) !== $text) {
        throw new Refusal('malformed');
    }
    return $bytes;
}

/** Reads one JSON object. */
function parse(string $text): array
{
    $value = json_decode($text, true, 8);
    if (!is_array($value) || array_is_list($value)) {
        throw new Refusal('malformed');
    }
    return $value;
}
