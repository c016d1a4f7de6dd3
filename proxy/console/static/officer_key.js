/**
 * An officer's private key and another's certificate, out of the files that they have. P-256 only.
 *
 * The key never leaves this page: what comes out are handles of WebCrypto that sign and agree, and cannot be exported.
 */

import { base64, concat, hex, parts, pem, unhex, utf8 } from "./officer_bytes.js";

const CURVE = { namedCurve: "P-256" };
/** SubjectPublicKeyInfo of a point on P-256, up to the point (RFC 5480). */
const SPKI = unhex("3059301306072a8648ce3d020106082a8648ce3d030107034200");
const POINT = 65;
/** Object identifiers of RFC 8018 and of AES. */
const PBES2 = "2a864886f70d01050d";
const PBKDF2 = "2a864886f70d01050c";
const HMAC_SHA256 = "2a864886f70d0209";
const AES256_CBC = "60864801650304012a";

const CONVERT =
  "openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in OLD.key -out NEW.key makes one that can.";

/** Whether the key in `text` needs a passphrase. */
export const encrypted = (text) => pem(text, "ENCRYPTED PRIVATE KEY") !== null;

/** The key in `text` (PKCS#8, PEM): {sign, agree, point, id}. */
export async function privateKey(text, passphrase) {
  const found = pem(text, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
  if (found === null) throw new Error(`This file has no private key that a browser can read. ${CONVERT}`);
  const bytes = found.label === "PRIVATE KEY" ? found.bytes : await decrypted(found.bytes, passphrase);
  try {
    const open = await crypto.subtle.importKey("pkcs8", bytes, { name: "ECDSA", ...CURVE }, true, ["sign"]);
    const { x, y } = await crypto.subtle.exportKey("jwk", open);
    const point = concat([4], fromUrl(x), fromUrl(y));
    const sign = await crypto.subtle.importKey("pkcs8", bytes, { name: "ECDSA", ...CURVE }, false, ["sign"]);
    const agree = await crypto.subtle.importKey("pkcs8", bytes, { name: "ECDH", ...CURVE }, false, ["deriveBits"]);
    return { sign, agree, point, id: await idOf(point) };
  } catch {
    throw new Error("This is not a private key on the curve P-256.");
  } finally {
    bytes.fill(0);
  }
}

/** The owner of the certificate in `text`: {verify, agree, point, id}. Its validity in time is not looked at. */
export async function certificate(text) {
  const found = pem(text, "CERTIFICATE");
  if (found === null) throw new Error("This file has no certificate.");
  const fields = parts(parts(parts(found.bytes)[0].content)[0].content);
  const info = fields[fields[0].tag === 0xa0 ? 6 : 5]?.whole;
  if (info?.length !== SPKI.length + POINT || hex(info.subarray(0, SPKI.length)) !== hex(SPKI)) {
    throw new Error("The key of this certificate is not one on the curve P-256.");
  }
  const point = info.slice(SPKI.length);
  const verify = await crypto.subtle.importKey("raw", point, { name: "ECDSA", ...CURVE }, true, ["verify"]);
  const agree = await crypto.subtle.importKey("raw", point, { name: "ECDH", ...CURVE }, true, []);
  return { verify, agree, point, id: await idOf(point) };
}

async function idOf(point) {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", concat(SPKI, point))));
}

const fromUrl = (text) => base64(text.replace(/-/g, "+").replace(/_/g, "/"));

/** PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC, as openssl writes it (RFC 8018 6.2). */
async function decrypted(bytes, passphrase) {
  const [scheme, data] = parts(parts(bytes)[0].content);
  const [kind, chosen] = parts(scheme.content);
  const [derivation, cipher] = hex(kind.content) === PBES2 ? parts(chosen.content) : [];
  const [by, how] = derivation ? parts(derivation.content) : [];
  const [salt, count, ...more] = how ? parts(how.content) : [];
  const prf = more.find(({ tag }) => tag === 0x30);
  const [name, iv] = cipher ? parts(cipher.content) : [];
  const words = [by, prf && parts(prf.content)[0], name].map((each) => each && hex(each.content));
  if (words.join() !== [PBKDF2, HMAC_SHA256, AES256_CBC].join()) {
    throw new Error(`This key is encrypted in a way that browsers cannot undo. ${CONVERT}`);
  }
  const iterations = count.content.reduce((sum, byte) => sum * 256 + byte, 0);
  const secret = await crypto.subtle.importKey("raw", utf8(passphrase), "PBKDF2", false, ["deriveKey"]);
  const stretched = { name: "PBKDF2", hash: "SHA-256", salt: salt.content, iterations };
  const key = await crypto.subtle.deriveKey(stretched, secret, { name: "AES-CBC", length: 256 }, false, ["decrypt"]);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv: iv.content }, key, data.content));
  } catch {
    throw new Error("The passphrase is wrong.");
  }
}
