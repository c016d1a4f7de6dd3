"""Reads numbers and code strings of the Image Pixel and neighbouring modules, strictly: one reading or none.

What has another VR, multiplicity or form than PS3.3 gives it raises `InstanceHeld`; no message holds a value. Pure.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass

from proxy.deid.level import Level
from proxy.errors import InstanceHeld, Reason

#: VRs of a 16-bit number; "" in implicit VR, as in PS3.6 where a reader fills that in, UN from a gateway that did not
#: know the attribute
_WORDS = frozenset({"", "UN", "US", "SS", "US or SS"})
#: VRs of lookup table data, which older files write as numbers
_TABLES = frozenset({"", "UN", "OB", "OW", "US", "SS", "US or OW"})
_FLOATS = {"FL": "f", "FD": "d"}
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,12}")


def unreadable(detail: str, tag: int | None = None) -> InstanceHeld:
    """The error of everything in ``pixels`` that does not add up."""
    return InstanceHeld(Reason.PIXELS_UNREADABLE, detail, tag)


@dataclass(frozen=True, slots=True)
class Header:
    """One data set or item, read by attribute."""

    level: Level
    little: bool

    def words(self, tag: int, count: int = 1, *, signed: bool = False) -> tuple[int, ...] | None:
        """The values of a US, SS or US-or-SS attribute, read as ``signed``; None when it is absent or empty."""
        raw = self.raw(tag, _WORDS)
        if not raw:
            return None
        if len(raw) != 2 * count:
            raise unreadable(f"not {count} numbers of 16 bits", tag)
        if count == 1:
            return (int.from_bytes(raw, "little" if self.little else "big", signed=signed),)
        return struct.unpack(f"{'<' if self.little else '>'}{count}{'h' if signed else 'H'}", raw)

    def word(self, tag: int, default: int | None = None) -> int:
        """The one value of a US attribute; without ``default`` it has to be there."""
        found = self.words(tag)
        if found is not None:
            return found[0]
        if default is None:
            raise unreadable("an attribute that every image has is missing or empty", tag)
        return default

    def code(self, tag: int) -> str:
        """The one value of a CS attribute, "" when it is absent or empty."""
        raw = self.raw(tag, frozenset({"", "UN", "CS"}))
        if not raw.isascii() or b"\\" in raw:
            raise unreadable("not one code string", tag)
        return raw.decode("ascii").strip(" \0")

    def count(self, tag: int, default: int) -> int:
        """The one value of an IS attribute, ``default`` when it is absent or empty."""
        text = self._text(tag, "IS")
        if not text:
            return default
        if not _INTEGER.fullmatch(text):
            raise unreadable("not one integer", tag)
        return int(text)

    def decimals(self, tag: int) -> tuple[float, ...]:
        """The values of a DS attribute, () when it is absent or empty."""
        text = self._text(tag, "DS")
        parts = [part.strip(" \0") for part in text.split("\\")] if text else []
        if not all(_DECIMAL.fullmatch(part) and math.isfinite(float(part)) for part in parts):
            raise unreadable("not decimal numbers", tag)
        return tuple(float(part) for part in parts)

    def real(self, tag: int, vr: str) -> float | None:
        """The one value of an FL or FD attribute, None when it is absent, empty or not finite."""
        raw = self.raw(tag, frozenset({"", "UN", vr}))
        size = struct.calcsize(_FLOATS[vr])
        if not raw:
            return None
        if len(raw) != size:
            raise unreadable("not one floating point number", tag)
        value: float = struct.unpack(("<" if self.little else ">") + _FLOATS[vr], raw)[0]
        return value if math.isfinite(value) else None

    def table(self, tag: int) -> bytes:
        """The bytes of lookup table data, b"" when it is absent."""
        return self.raw(tag, _TABLES)

    def items(self, tag: int) -> list[Header]:
        """The items of a sequence."""
        return [Header(item, self.little) for item in self.level.items(tag)] if tag in self.level else []

    def raw(self, tag: int, vrs: frozenset[str]) -> bytes:
        """The encoded value, b"" when it is absent; it must have one of ``vrs``."""
        if tag not in self.level:
            return b""
        vr, value = self.level.value(tag)
        if vr not in vrs or not isinstance(value, bytes):
            raise unreadable("an attribute of the image has a VR that it cannot have", tag)
        return value

    def _text(self, tag: int, vr: str) -> str:
        raw = self.raw(tag, frozenset({"", "UN", vr}))
        if not raw.isascii():
            raise unreadable("not a number in ASCII", tag)
        return raw.decode("ascii").strip(" \0")
