"""Value representations (PS3.5 6.2) as the web needs them: which VR an element has, its word size, its header.

Needed because an implicit VR file names no VR and a big endian one has its words the other way round. Pure.
"""

from __future__ import annotations

import struct

from pydicom.datadict import dictionary_VR

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
#: PS3.18 8.7.3: must never leave by web.
NOT_FOR_WEB = frozenset({IMPLICIT_LE, EXPLICIT_BE})
#: Pixel data of these is native: not encapsulated (PS3.5 A.4).
NATIVE = frozenset({IMPLICIT_LE, EXPLICIT_LE, DEFLATED_LE, EXPLICIT_BE})

#: Bytes per word, where byte order matters (PS3.5 7.3).
WORD = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4} | dict.fromkeys(
    ("FD", "OD", "SV", "UV", "OV"), 8
)
#: PS3.5 7.1.2: two reserved bytes and a 32-bit length.
LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
#: PS3.5 A.1: how an element of more than one possible VR is read where the encoding does not say.
_AMBIGUOUS = {"OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}


def element_vr(tag: int, vr: str | None, signed: bool) -> str:
    """The VR of an element; ``vr`` is what the encoding says (None: implicit), ``signed`` is PixelRepresentation 1."""
    if vr is not None and len(vr) == 2 and vr != "UN":
        return vr
    if tag >> 16 & 1:  # private: only the creator's VR is known (PS3.5 7.8.1)
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    try:
        known = dictionary_VR(tag) if vr in (None, "UN") else str(vr)
    except KeyError:
        return "UN"
    if known == "US or SS":
        return "SS" if signed else "US"
    return _AMBIGUOUS.get(known, known)


def swap(value: bytes, word: int) -> bytes:
    """``value`` with the bytes of each word reversed."""
    if word == 1:
        return value
    whole = len(value) - len(value) % word
    swapped = bytearray(value)
    for index in range(word):
        swapped[index:whole:word] = value[word - 1 - index : whole : word]
    return bytes(swapped)


def explicit_header(tag: int, vr: str, length: int) -> bytes:
    """An explicit VR little endian element header (PS3.5 7.1.2); what is too long for its VR becomes UN (6.2.2)."""
    group, element = tag >> 16, tag & 0xFFFF
    if vr not in LONG and length > 0xFFFF:
        vr = "UN"
    if vr in LONG:
        return struct.pack("<HH2sHI", group, element, vr.encode("ascii"), 0, length)
    return struct.pack("<HH2sH", group, element, vr.encode("ascii"), length)
