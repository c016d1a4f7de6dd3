"""docs/pseudonyms.md is the specification: its vectors are recomputed here from its text, without the product."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from pathlib import Path

import pytest

from proxy.deid import pseudonym

PAGE = (Path(__file__).parents[2] / "docs" / "pseudonyms.md").read_text(encoding="utf-8")
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def tables() -> list[list[dict[str, str]]]:
    """All pipe tables of the page, each a list of rows by column name."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        cells = [
            [cell.strip() for cell in re.split(r"(?<!`)\|(?!`)", line.strip()[1:-1])] for line in block.splitlines()
        ]
        found.append([dict(zip(cells[0], row, strict=True)) for row in cells[2:]])
    return found


def table(*columns: str) -> list[dict[str, str]]:
    (rows,) = [t for t in tables() if tuple(t[0]) == columns]
    return rows


ROOTS = {row["root"]: bytes.fromhex(row["root key"].strip("`")) for row in table("root", "root key")}
VECTORS = [
    (
        row["root"],
        row["function"],
        *(json.loads(row[column].strip("`")) for column in ("parameter", "issuer", "value")),
        row["result"].strip("`"),
    )
    for row in table("root", "function", "parameter", "issuer", "value", "result")
]


# The specification, from the page alone.


def spec_hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def spec_key(root: bytes, x: str) -> bytes:
    return spec_hmac(spec_hmac(b"\x00" * 32, root), b"veil/v1/" + x.encode() + b"\x01")


def spec_canonical(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    while text and text[-1] in " \x00":
        text = text[:-1]
    while text and text[0] == " ":
        text = text[1:]
    return text


def spec_message(kind: str, issuer: str, value: str) -> bytes:
    message = b"v1"
    for part in (kind, spec_canonical(issuer), spec_canonical(value)):
        octets = part.encode("utf-8")
        message += len(octets).to_bytes(4, "big") + octets
    return message


def spec_sixteen(mac: bytes) -> str:
    bits = "".join(f"{octet:08b}" for octet in mac[:10])
    return "".join(ALPHABET[int(bits[i : i + 5], 2)] for i in range(0, 80, 5))


def spec_check(body: str) -> str:
    p = 32
    for c in body:
        s = (p + ALPHABET.index(c)) % 32
        p = 2 * (s or 32) % 33
    return ALPHABET[(33 - p) % 32]


def spec_result(root: bytes, function: str, parameter: str, issuer: str, value: str) -> str:
    if function == "patient_id":
        body = spec_sixteen(spec_hmac(spec_key(root, "patient"), spec_message("patient", issuer, value)))
        return parameter + body + spec_check(body)
    if function == "uid":
        plain = spec_canonical(value)
        if plain == "1.2.840.10008" or plain.startswith("1.2.840.10008."):
            return plain
        octets = bytearray(spec_hmac(spec_key(root, "uid"), spec_message("uid", "", value))[:16])
        octets[6] = (octets[6] & 0x0F) | 0x80
        octets[8] = (octets[8] & 0x3F) | 0x80
        return "2.25." + str(int.from_bytes(octets, "big"))
    if function == "accession":
        return spec_sixteen(spec_hmac(spec_key(root, "accession"), spec_message("accession", issuer, value)))
    if function == "text":
        return spec_sixteen(spec_hmac(spec_key(root, "text"), spec_message(parameter, "", value)))
    assert function == "date_offset"
    mac = spec_hmac(spec_key(root, "date"), spec_message("patient", issuer, value))
    return str(-(1 + int.from_bytes(mac[:8], "big") % int(parameter)))


def product_result(root: bytes, function: str, parameter: str, issuer: str, value: str) -> str:
    provider = pseudonym.HmacPseudonyms(
        root,
        prefix=parameter if function == "patient_id" else "",
        date_shift_days=int(parameter) if function == "date_offset" else 365,
    )
    if function == "uid":
        return provider.uid(value)
    if function == "text":
        return provider.text(parameter, value)
    return str(getattr(provider, function)(issuer, value))


@pytest.mark.parametrize("vector", VECTORS)
def test_vector(vector: tuple[str, str, str, str, str, str]) -> None:
    root, *arguments, result = vector
    assert spec_result(ROOTS[root], *arguments) == result
    assert product_result(ROOTS[root], *arguments) == result


def test_the_page_covers_every_function_and_every_root() -> None:
    assert {(v[0], v[1]) for v in VECTORS} == {
        (root, f) for root in ROOTS for f in ("patient_id", "uid", "accession", "text", "date_offset")
    }
    assert len(ROOTS) >= 3
    assert len(VECTORS) >= 40


def test_derived_keys() -> None:
    rows = table("root", "x", "derived key")
    assert {row["x"] for row in rows} == {"patient", "uid", "accession", "date", "text", "blind", "check"}
    for row in rows:
        expected = bytes.fromhex(row["derived key"].strip("`"))
        assert spec_key(ROOTS[row["root"]], row["x"]) == expected
        assert pseudonym.hkdf(ROOTS[row["root"]], row["x"]) == expected


def test_message_example() -> None:
    match = re.search(r"The message for kind `patient`, issuer `(.*?)`, value `(.*?)`:\n`([0-9a-f]+)`", PAGE)
    assert match
    issuer, value, expected = json.loads(match[1]), json.loads(match[2]), bytes.fromhex(match[3])
    assert spec_message("patient", issuer, value) == expected
    assert pseudonym.message("patient", issuer, value) == expected


def test_key_check_values() -> None:
    for row in table("root", "key check value"):
        root, expected = ROOTS[row["root"]], row["key check value"].strip("`")
        assert spec_hmac(spec_key(root, "check"), b"veil/v1/key-check").hex() == expected
        assert pseudonym.key_check_value(root) == expected
