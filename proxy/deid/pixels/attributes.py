"""Reads any attribute of an original header as text, for what is asked about the sender's device and its images.

Where `header` is strict, this is not: a missing attribute or one without text says nothing. Numbers of binary VRs read
as their decimals, values of one attribute are parted by a backslash as in the file (PS3.5 6.4). What it returns is PHI
and may not leave the core. Pure; a text that is not in its character set raises `InstanceHeld`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom._dicom_dict import DicomDictionary

from proxy.deid.access import charset_of
from proxy.deid.level import Level
from proxy.deid.values import CHARSET_VRS, Charset, split

#: VRs of binary numbers → how one of them is packed (PS3.5 6.2)
_NUMBERS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q", "US or SS": "H"}
#: values that are no text and no number of a few bytes
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "OB or OW", "US or OW", "US or SS or OW"})
#: a place: the attribute, below the sequences before it
Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Attributes:
    """One data set or item as it came."""

    level: Level
    little: bool
    charset: Charset
    #: what has been asked for: many rules ask for the same few attributes
    _known: dict[Path, str | None] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, root: Level, little: bool) -> Attributes:
        """The attributes of a data set; ``little``: its byte order."""
        return cls(root, little, charset_of(root))

    def text(self, path: Path) -> str | None:
        """The whole value, trimmed; "" when it is empty or no text, None when nothing is there.

        Below a sequence the first item that has the attribute counts.
        """
        if path in self._known:
            return self._known[path]
        found = None
        if path[0] in self.level:
            found = self._text(path[0]) if len(path) == 1 else next(self._texts(path), None)
        self._known[path] = found
        return found

    def values(self, tag: int) -> list[str]:
        """The values of an attribute at the top, [] when it is absent or empty."""
        text = self.text((tag,))
        return split(text) if text else []

    def numbers(self, tag: int) -> list[float] | None:
        """The values as numbers, [] when there is none, None where one of them is no number."""
        try:
            return [float(value) for value in self.values(tag)]
        except ValueError:
            return None

    def items(self, tag: int) -> list[Attributes]:
        """The items of a sequence, [] when it is absent, empty or no sequence."""
        if tag not in self.level:
            return []
        return [Attributes(item, self.little, charset_of(item, self.charset)) for item in self.level.items(tag)]

    def _texts(self, path: Path) -> Iterator[str]:
        tag, *below = path
        if below:
            for item in self.items(tag):
                yield from item._texts(tuple(below))
        elif tag in self.level:
            yield self._text(tag)

    def _text(self, tag: int) -> str:
        stated, value = self.level.value(tag)
        vr = stated
        if stated in ("", "UN"):
            vr = str(DicomDictionary[tag][0]) if tag in DicomDictionary else ""
        if not isinstance(value, bytes) or vr in _BULK:
            return ""
        if vr in _NUMBERS:
            return self._numbers(_NUMBERS[vr], value)
        charset = self.charset if vr in CHARSET_VRS else None
        text = charset.decode(tag, value) if charset is not None else value.decode("latin_1")
        return "\\".join(split(text))

    def _numbers(self, letter: str, value: bytes) -> str:
        size = struct.calcsize(letter)
        count = len(value) // size
        found = struct.unpack(f"{'<' if self.little else '>'}{count}{letter}", value[: count * size])
        return "\\".join(f"{number:g}" if letter in "fd" else str(number) for number in found)
