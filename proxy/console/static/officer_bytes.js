/** Bytes, hexadecimal, canonical JSON and DER: what statements and keys are written in. No page, no network. */

export const utf8 = (text) => new TextEncoder().encode(text);

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function unhex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error("this is not hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export const base64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** The same text as Python's json.dumps(value, sort_keys=True) with these separators; numbers are integers. */
export function canonical(value, comma = ",", colon = ":") {
  const inner = (each) => canonical(each, comma, colon);
  if (Array.isArray(value)) return `[${value.map(inner).join(comma)}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.keys(value).sort().map((name) => inner(name) + colon + inner(value[name])).join(comma)}}`;
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new Error("a number that is no integer");
  const escaped = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, escaped);
}

/** What a DER value holds, one after the other: tag, content, and the whole of it (X.690 8.1). */
export function parts(bytes) {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const begin = at;
    const tag = bytes[at];
    let size = bytes[at + 1];
    at += 2;
    if (size > 0x80) {
      const digits = size - 0x80;
      size = bytes.subarray(at, at + digits).reduce((sum, byte) => sum * 256 + byte, 0);
      at += digits;
    }
    if (!(at + size <= bytes.length)) throw new Error("this file ends early");
    found.push({ tag, content: bytes.subarray(at, at + size), whole: bytes.subarray(begin, at + size) });
    at += size;
  }
  return found;
}

/** The first PEM block of `text` that is called one of `labels`: its label and bytes; null where there is none. */
export function pem(text, ...labels) {
  for (const [, label, body] of text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]+)-----END \1-----/g)) {
    if (labels.includes(label)) return { label, bytes: base64(body.replace(/\s/g, "")) };
  }
  return null;
}

/** An ECDSA signature as WebCrypto has it (r | s) in DER, and back (RFC 3279 2.2.3). */
export function toDer(raw) {
  const numbers = [raw.subarray(0, 32), raw.subarray(32)].map((bytes) => {
    const from = bytes.findIndex((byte) => byte !== 0);
    const short = bytes.subarray(from < 0 ? 31 : from);
    const padded = short[0] & 0x80 ? concat([0], short) : short;
    return concat([2, padded.length], padded);
  });
  const body = concat(...numbers);
  return concat([0x30, body.length], body);
}

export function fromDer(der) {
  const numbers = parts(parts(der)[0].content).map(({ content }) => {
    const short = content.subarray(Math.max(0, content.length - 32));
    return concat(new Uint8Array(32 - short.length), short);
  });
  return concat(...numbers);
}
