"""Text by its character set: plain ASCII takes a short way, which leads to the same text."""

from __future__ import annotations

import pytest
from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.valuerep import TEXT_VR_DELIMS

from proxy.deid.values import Charset, declared, strict_text
from proxy.errors import InstanceHeld

PLAIN = bytes(byte for byte in range(128) if byte != 0x1B)


@pytest.mark.parametrize("term", sorted(python_encoding))
def test_ascii_is_what_pydicom_reads(term: str) -> None:
    charset = declared(term.encode())
    assert charset == declared(f" {term}\0".encode())
    assert charset.encodings == tuple(convert_encodings([term]))
    assert charset.decode(0, PLAIN) == decode_bytes(PLAIN, list(charset.encodings), TEXT_VR_DELIMS) == PLAIN.decode()


def test_a_codec_that_is_none_of_the_standard_s_is_asked_even_for_ascii() -> None:
    with strict_text():
        assert Charset(("utf_16_le",)).decode(0, b"ab") == "\u6261"


@pytest.mark.parametrize("value", [b"\x1b$B", b"\x1b(Bab\x1b$Zx"])
def test_an_escape_is_no_plain_text(value: bytes) -> None:
    charset = declared(b"\\ISO 2022 IR 87")
    with strict_text():
        try:
            text = charset.decode(0, value)
        except InstanceHeld:
            return
    assert text != value.decode("ascii")
