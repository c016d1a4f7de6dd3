/**
 * What an officer does with a key: sign, verify, open a share, seal it anew, put two together. As `veil reidentify`
 * does it, byte for byte (proxy/store/officers.py, shares.py, identities.py). No page, no network.
 */

import { canonical, concat, fromDer, hex, toDer, unhex, utf8 } from "./officer_bytes.js";

const ECDSA = { name: "ECDSA", hash: "SHA-256" };
const POINT = 65;
const SIGNED = utf8("veil/v1/reidentify\n");
const SEALED = utf8("veil/v1/officer");

/** The signature over `statement`, in hexadecimal. */
export async function sign(key, statement) {
  const raw = await crypto.subtle.sign(ECDSA, key.sign, concat(SIGNED, utf8(statement)));
  return hex(toDer(new Uint8Array(raw)));
}

/** Whether the owner of a certificate signed `statement`. */
export async function signed(person, statement, signature) {
  try {
    const raw = fromDer(unhex(signature));
    return await crypto.subtle.verify(ECDSA, person.verify, raw, concat(SIGNED, utf8(statement)));
  } catch {
    return false;
  }
}

/** `plain` for the owner of a certificate alone; it opens with `bound` alone. */
export async function seal(person, plain, bound) {
  const made = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", made.publicKey));
  const key = await agreed(made.privateKey, person.agree, concat(point, person.point));
  const sealed = await crypto.subtle.encrypt(gcm(new Uint8Array(12), bound), key, plain);
  return concat(point, new Uint8Array(sealed));
}

/** What was sealed to `key`. */
export async function opened(key, sealed, bound) {
  const point = sealed.subarray(0, POINT);
  try {
    const other = await crypto.subtle.importKey("raw", point, { name: "ECDH", namedCurve: "P-256" }, true, []);
    const secret = await agreed(key.agree, other, concat(point, key.point));
    const found = await crypto.subtle.decrypt(gcm(new Uint8Array(12), bound), secret, sealed.subarray(POINT));
    return new Uint8Array(found);
  } catch {
    throw new Error("This was not sealed to this key, or it was altered.");
  }
}

const gcm = (iv, bound) => ({ name: "AES-GCM", iv, additionalData: bound });

async function agreed(mine, other, points) {
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: other }, mine, 256);
  const secret = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: concat(SEALED, points) };
  return crypto.subtle.deriveKey(how, secret, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/** What an entry is bound to: each part with its length. */
export function rowOf(project, epoch, pseudonym) {
  const words = [project, String(epoch), "patient", pseudonym].map(utf8);
  return concat(...words.flatMap((word) => [[0, 0, word.length >> 8, word.length & 255], word]));
}

/** What an approver's share is bound to when it is sealed anew. */
export const sealedFor = (request, keyId) => utf8(`veil/v1/reidentify/${request}/${keyId}`);

/** What a request is called. */
export const requestId = async (statement) => (await sha256(utf8(statement))).slice(0, 32);

/** SHA-256 of a whole entry: approvals are of exactly one. */
export function digestOf(entry) {
  return sha256(utf8(canonical({ sealed: entry.sealed, shares: entry.shares }, ", ", ": ")));
}

async function sha256(bytes) {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** This officer's share of `entry`: its x, and itself. */
export async function shareOf(entry, key, bound) {
  const mine = entry.shares[key.id];
  if (mine === undefined) throw new Error("This entry was not written for your key.");
  return [mine[0], await opened(key, unhex(mine[1]), bound)];
}

/** Issuer and Patient ID of `entry`, from two shares. */
export async function valueOf(entry, bound, one, other) {
  const secret = join(one, other);
  const sealed = unhex(entry.sealed);
  try {
    const key = await crypto.subtle.importKey("raw", secret, "AES-GCM", false, ["decrypt"]);
    const plain = await crypto.subtle.decrypt(gcm(sealed.subarray(0, 12), bound), key, sealed.subarray(12));
    return JSON.parse(new TextDecoder().decode(plain));
  } catch {
    throw new Error("These two shares do not open this entry.");
  }
}

/** The secret from two shares [x, bytes] (Shamir, threshold 2, over the field of AES). */
export function join([one, first], [two, second]) {
  if (one === two || first.length !== second.length) throw new Error("Two different shares are needed.");
  const across = inverse(one ^ two);
  const [left, right] = [product(two, across), product(one, across)];
  return first.map((byte, at) => product(byte, left) ^ product(second[at], right));
}

function product(a, b) {
  let found = 0;
  for (let bit = 0; bit < 8; bit += 1) {
    found ^= a * ((b >> bit) & 1);
    a = ((a << 1) & 0xff) ^ (0x1b * (a >> 7));
  }
  return found;
}

function inverse(a) {
  let [square, found] = [a, 1];
  for (let bit = 0; bit < 7; bit += 1) {
    square = product(square, square);
    found = product(found, square);
  }
  return found;
}
