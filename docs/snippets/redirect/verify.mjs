// Checks, without asking anybody, that a visit to a product page came through ProductID's validation. One file without dependencies,
// for browsers and for Node.js from version 20 on: copy it. docs/redirect.md explains it.

const LIFETIME = 60; // seconds
const TOLERANCE = 5; // seconds that two clocks may differ

/** Why a token is refused, in one word: the error's message. */
export class Refusal extends Error {}

/** Remembers which tokens were accepted. Several processes need one memory for all: a table, or Redis' SET NX. */
export class Memory {
  #seen = new Map();

  /** Reports whether the token was not accepted before. */
  async first(id, expires, now) {
    for (const [old, until] of this.#seen) {
      if (until < now - TOLERANCE) this.#seen.delete(old);
    }
    if (this.#seen.has(id)) return false;
    this.#seen.set(id, expires);
    return true;
  }
}

/**
 * Accepts a token once, or throws a Refusal.
 *
 * issuer is the base URL of the service, audience the origin of this site, jwks what /.well-known/jwks.json answers, now the time in
 * Unix seconds, memory a Memory that outlives the call.
 */
export async function verify(token, { issuer, audience, jwks, now, memory }) {
  const claims = await read(token, jwks);
  if (claims.iss !== issuer) throw new Refusal("wrong_issuer");
  if (claims.aud !== audience) throw new Refusal("other_audience");
  if (claims.iat > now + TOLERANCE) throw new Refusal("not_yet");
  if (claims.exp < now - TOLERANCE) throw new Refusal("expired");
  if (!(await memory.first(claims.jti, claims.exp, now))) throw new Refusal("used");
  return claims;
}

/** Checks form and signature. */
async function read(token, jwks) {
  const parts = typeof token === "string" && token.length <= 2048 ? token.split(".") : [];
  if (parts.length !== 3) throw new Refusal("malformed");
  const [header, payload, signature] = parts.map(decode);
  const h = parse(header);
  // The algorithm is ours to choose, never the token's.
  if (h.alg !== "EdDSA" || h.typ !== "productid-redirect+jwt" || typeof h.kid !== "string" || h.kid === "" || "crit" in h) {
    throw new Refusal("malformed");
  }
  const jwk = jwks.keys.find((k) => k.kid === h.kid && k.kty === "OKP" && k.crv === "Ed25519");
  if (!jwk) throw new Refusal("unknown_key");
  const key = await crypto.subtle.importKey("jwk", { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, { name: "Ed25519" }, false, ["verify"]);
  const signed = new TextEncoder().encode(parts[0] + "." + parts[1]);
  if (signature.length !== 64 || !(await crypto.subtle.verify({ name: "Ed25519" }, key, signature, signed))) throw new Refusal("bad_signature");
  const claims = parse(payload);
  if (!complete(claims)) throw new Refusal("malformed");
  return claims;
}

function complete(c) {
  const text = (t) => typeof t === "string" && t !== "";
  return text(c.iss) && text(c.aud) && text(c.jti) && text(c.sub) && /^[A-Za-z0-9_-]{16}$/.test(c.sub) &&
    Number.isInteger(c.ctr) && c.ctr >= 0 && c.ctr < 2 ** 32 &&
    Number.isSafeInteger(c.iat) && c.iat > 0 && c.exp === c.iat + LIFETIME;
}

/** Reads base64url without padding, line breaks and stray bits. */
function decode(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Refusal("malformed");
  let binary;
  try {
    binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw new Refusal("malformed");
  }
  const again = btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  if (again !== text) throw new Refusal("malformed");
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}

/** Reads one JSON object. */
function parse(bytes) {
  let value;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal("malformed");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Refusal("malformed");
  return value;
}
