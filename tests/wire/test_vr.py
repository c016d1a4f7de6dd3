from __future__ import annotations

import pytest

from proxy.wire.vr import element_vr, explicit_header, swap


@pytest.mark.parametrize(
    ("tag", "said", "signed", "vr"),
    [
        (0x00100010, "LO", False, "LO"),  # what the encoding says stands
        (0x00100010, None, False, "PN"),
        (0x00100010, "UN", False, "PN"),
        (0x00280106, None, False, "US"),
        (0x00280106, None, True, "SS"),
        (0x00280106, "US or SS", True, "SS"),
        (0x7FE00010, None, False, "OW"),
        (0x00283006, None, False, "OW"),
        (0x60023000, None, False, "OW"),
        (0x00090010, None, False, "LO"),
        (0x00091001, None, False, "UN"),
        (0x00091001, "UN", False, "UN"),
        (0x00080099, None, False, "UN"),
    ],
)
def test_element_vr(tag: int, said: str | None, signed: bool, vr: str) -> None:
    assert element_vr(tag, said, signed) == vr


def test_swap() -> None:
    assert swap(b"abcd", 1) == b"abcd"
    assert swap(b"abcd", 2) == b"badc"
    assert swap(b"abcdefgh", 4) == b"dcbahgfe"
    assert swap(b"abcdefgh", 8) == b"hgfedcba"
    assert swap(b"abcde", 2) == b"badce"


def test_explicit_headers() -> None:
    assert explicit_header(0x00100010, "PN", 6) == b"\x10\x00\x10\x00PN\x06\x00"
    assert explicit_header(0x7FE00010, "OW", 6) == b"\xe0\x7f\x10\x00OW\x00\x00\x06\x00\x00\x00"
    assert explicit_header(0x00100010, "PN", 0x10000) == b"\x10\x00\x10\x00UN\x00\x00\x00\x00\x01\x00"
