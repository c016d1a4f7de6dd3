"""Reads element values: text by its character set (PS3.5 6.1), the rest by what its VR allows (PS3.5 6.2).

A value that is kept leaves as the bytes it came as, after it was found to be what its VR says; nothing is repaired and
nothing is replaced silently. What cannot be decoded is `BAD_CHARSET`, what is not of its VR `MALFORMED`. Pure.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from pydicom.charset import STAND_ALONE_ENCODINGS, convert_encodings, decode_bytes, encode_string, python_encoding
from pydicom.valuerep import TEXT_VR_DELIMS

from proxy.deid.dates import check_tm, shift_da, shift_dt
from proxy.errors import InstanceHeld, Reason

#: VRs that (0008,0005) Specific Character Set rules
CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
#: VR → size of one value in bytes
SIZES = {"AT": 4, "FD": 8, "FL": 4, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2, "SL": 4, "SS": 2, "SV": 8}
SIZES |= {"UL": 4, "US": 2, "UV": 8, "US or SS": 2, "US or OW": 2, "US or SS or OW": 2}
#: VR → characters of one value
LIMITS = {"AE": 16, "CS": 16, "LO": 64, "LT": 10240, "SH": 16, "ST": 1024, "UC": 1 << 20, "UT": 1 << 20, "DS": 16}
LIMITS |= {"IS": 12, "AS": 4, "UR": 1 << 20}
_DATED = {"DA": lambda text: shift_da(text, 0), "DT": lambda text: shift_dt(text, 0), "TM": check_tm}
#: VR → the bytes that may stand in it: the letter's form is not insisted on, but a name does not fit in a number
_ALPHABETS = {
    "AS": re.compile(rb"[0-9DWMY \\\0]*"),
    "DS": re.compile(rb"[0-9+\-.eE \\\0]*|(?i:[ +-]*(?:nan|inf)[ \0]*)"),
    "IS": re.compile(rb"[0-9+\-.eE \\\0]*"),
    "UI": re.compile(rb"[0-9. \\\0]*"),
    "AE": re.compile(rb"[\x20-\x7e\0]*"),
    "CS": re.compile(rb"[\x20-\x7e\0]*"),
    "UR": re.compile(rb"[\x20-\x7e\0]*"),
}
#: the codecs of the standard's character sets: in each of them ASCII, where nothing is escaped, is ASCII
_ON_ASCII = frozenset(python_encoding.values())
_ESCAPE = b"\x1b"
#: what pydicom says where it is about to guess at text
_GUESSES = "Failed to decode|Unknown encoding|Found unknown escape"


@contextmanager
def strict_text() -> Iterator[None]:
    """pydicom warns and goes on with replacement characters: here that is an error, and its other warnings are silent.

    Warnings quote values, so none may reach a log. Not for concurrent use in threads (the filters are the process's).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=_GUESSES)
        yield


@dataclass(frozen=True, slots=True)
class Charset:
    """The character set in force at one place of a data set.

    ``transcode``: it was declared with words that only a lenient reader understands, so text leaves in UTF-8.
    """

    encodings: tuple[str, ...] = ("iso8859",)
    transcode: bool = False

    def decode(self, tag: int, value: bytes) -> str:
        """Strictly; `BAD_CHARSET` where a byte has no meaning."""
        if value.isascii() and _ESCAPE not in value and self.encodings[0] in _ON_ASCII:
            return value.decode("ascii")
        try:
            return str(decode_bytes(value, list(self.encodings), TEXT_VR_DELIMS))
        except (ValueError, LookupError, UserWarning):
            raise InstanceHeld(Reason.BAD_CHARSET, "text is not in its declared character set", tag) from None

    def encode(self, text: str) -> bytes | None:
        """Changed text in this character set; None where it does not come back as it went in."""
        if self.transcode:
            return text.encode("utf-8")
        try:
            encoded = bytes(encode_string(text, list(self.encodings)))
            return encoded if self.decode(0, encoded) == text else None
        except (ValueError, LookupError, UserWarning, InstanceHeld):
            return None


DEFAULT = Charset()


def declared(value: bytes) -> Charset:
    """What (0008,0005) with this value declares."""
    common = _common().get(value.strip(b" \0"))
    return common if common is not None else _declared(value)


@lru_cache(maxsize=1)
def _common() -> Mapping[bytes, Charset]:
    """What the defined terms declare that stand alone: data sets say little else."""
    return {term.encode("ascii"): _declared(term.encode("ascii")) for term in python_encoding}


def _declared(value: bytes) -> Charset:
    try:
        words = [word.strip(" \0") for word in value.decode("ascii").split("\\")]
        encodings = tuple(convert_encodings(words))
    except (ValueError, LookupError, UserWarning):
        raise InstanceHeld(Reason.BAD_CHARSET, "the declared character set is not known", 0x00080005) from None
    alone = len(words) > 1 and any(word in STAND_ALONE_ENCODINGS for word in words)
    return Charset(encodings, alone or any(word not in python_encoding for word in words))


def check(tag: int, vr: str, value: bytes) -> None:
    """`MALFORMED` where ``value`` cannot be of ``vr``; text is checked by decoding it, dates by shifting them."""
    size = SIZES.get(vr, 1)
    if len(value) % size:
        raise InstanceHeld(Reason.MALFORMED, f"a value is no multiple of {size} bytes", tag)
    alphabet = _ALPHABETS.get(vr)
    if alphabet is not None and not alphabet.fullmatch(value):
        raise InstanceHeld(Reason.MALFORMED, f"a value has characters that {vr} does not allow", tag)


def fits(vr: str, text: str) -> bool:
    """Whether ASCII ``text`` is one value of ``vr``, a VR of characters."""
    try:
        if vr in _DATED:
            return _DATED[vr](text) == text
        check(0, vr, text.encode("ascii"))
    except (ValueError, InstanceHeld):
        return False
    return len(text) <= LIMITS.get(vr, 0)


def split(text: str) -> list[str]:
    """The values of a multi-valued string, without padding (PS3.5 6.4)."""
    return [part.strip(" \0") for part in text.split("\\")] if "\\" in text else [text.strip(" \0")]


def ascii_text(tag: int, value: bytes) -> str:
    """A value of the default repertoire; `MALFORMED` for other bytes."""
    if not value.isascii():
        raise InstanceHeld(Reason.MALFORMED, "a value is not in the default character repertoire", tag)
    return value.decode("ascii").strip(" \0")
