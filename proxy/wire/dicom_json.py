"""The DICOM JSON Model (PS3.18 Annex F) of a dataset, made from its encoded values.

Works on pydicom's raw elements, so that an odd value is shown as it is and not judged by a parser. No group 0002, no
group lengths. Binary values over the threshold, and pixel data always, become a BulkDataURI. Pure: what was not read
with the dataset (deferred) is asked from the caller's ``read``.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue

from proxy.wire.vr import WORD, element_vr, swap

BULK_THRESHOLD = 1024
PIXEL_GROUP = 0x7FE0
_CHARSET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
SINGLE = frozenset({"LT", "ST", "UT", "UR"})
CODED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # PS3.5 6.1.2.3: (0008,0005) is for these
NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "SV": "q", "UV": "Q"}
PN_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

Path = tuple[int, ...]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """What the model cannot know: names for bulk data by element path, and values that were not read yet."""

    bulk_uri: Callable[[Path], str]
    read: Callable[[RawDataElement], bytes]
    threshold: int = BULK_THRESHOLD


@dataclass(frozen=True, slots=True)
class _Context:
    encodings: Sequence[str]
    signed: bool


def to_json(dataset: Dataset, source: Source) -> Json:
    """The whole dataset as one DICOM JSON object, tags in order."""
    return _object(dataset, source, (), _Context(("iso8859",), False))


def raw_elements(dataset: Dataset) -> Iterator[Any]:
    """The elements that a dataset is made of, in order, unconverted; no group 0002, no group lengths."""
    tags = [tag for tag in sorted(dataset.keys()) if tag >> 16 > 2 and tag & 0xFFFF]
    yield from [raw_element(dataset, tag) for tag in tags]  # all at once: opening a sequence converts its neighbours


def raw_element(dataset: Dataset, tag: int) -> Any:
    """One element, unconverted: raw, or a parsed sequence. pydicom converts two on its own; that is undone here."""
    element = dataset.get_item(tag, keep_deferred=True)
    if isinstance(element, RawDataElement) or element.VR == "SQ":
        return element
    if tag == _PIXEL_REPRESENTATION and isinstance(element.value, int):
        value = struct.pack("<H", element.value)
    elif tag == _CHARSET:
        terms = element.value if isinstance(element.value, (list, tuple, MultiValue)) else [element.value or ""]
        value = "\\".join(map(str, terms)).encode("ascii", "replace")
    else:
        raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) was converted before it was encoded")
    value += b" " * (len(value) % 2)
    return RawDataElement(element.tag, element.VR, len(value), value, 0, False, True)


def is_signed(dataset: Dataset, inherited: bool) -> bool:
    """Whether PixelRepresentation says that ambiguous values are signed."""
    value = raw_element(dataset, _PIXEL_REPRESENTATION).value if _PIXEL_REPRESENTATION in dataset else b""
    return any(value) if value else inherited


def _object(dataset: Dataset, source: Source, path: Path, context: _Context) -> Json:
    inner = _Context(_encodings(dataset, context.encodings), is_signed(dataset, context.signed))
    return {f"{e.tag:08X}": _element(dataset, e, source, path, inner) for e in raw_elements(dataset)}


def _encodings(dataset: Dataset, inherited: Sequence[str]) -> Sequence[str]:
    value = raw_element(dataset, _CHARSET).value if _CHARSET in dataset else b""
    return encodings_of(value) if value else inherited


def encodings_of(value: bytes) -> Sequence[str]:
    """Python's names of the character sets in a value of (0008,0005)."""
    return tuple(convert_encodings(_split(value.decode("ascii", "replace"))))


def bulk_name(where: Path) -> str:
    """What a value is called relative to its instance, by element path: ``bulkdata/7FE00010``."""
    return "bulkdata/" + "/".join(f"{n:08X}" if i % 2 == 0 else str(n) for i, n in enumerate(where))


def _element(dataset: Dataset, element: Any, source: Source, path: Path, context: _Context) -> Json:
    vr = element_vr(element.tag, element.VR, context.signed)
    here = (*path, int(element.tag))
    if vr == "SQ":
        items = dataset[element.tag].value or ()
        objects = [_object(item, source, (*here, index), context) for index, item in enumerate(items)]
        return {"vr": vr, "Value": objects} if objects else {"vr": vr}
    if element.length == 0:
        return {"vr": vr}
    size = element.length if element.value is None else len(element.value)
    if vr in BINARY and (element.tag >> 16 == PIXEL_GROUP or size > source.threshold):
        return {"vr": vr, "BulkDataURI": source.bulk_uri(here)}
    value = source.read(element) if element.value is None else bytes(element.value)
    if not element.is_little_endian:
        value = swap(value, WORD.get(vr, 1))
    return plain(vr, value, context.encodings)


def plain(vr: str, value: bytes, encodings: Sequence[str]) -> Json:
    """An element of little endian ``value``, which is not empty and no sequence."""
    if vr in BINARY:
        return {"vr": vr, "InlineBinary": base64.b64encode(value).decode("ascii")}
    if vr == "AT" or vr in NUMBERS:
        size = WORD[vr] * (2 if vr == "AT" else 1)
        if len(value) % size:  # not what its VR says: shown as bytes, not guessed at
            return {"vr": "UN", "InlineBinary": base64.b64encode(value).decode("ascii")}
        return {"vr": vr, "Value": _tags(value) if vr == "AT" else _numbers(vr, value)}
    texts = _texts(vr, value, encodings)
    if not any(texts):
        return {"vr": vr}
    return {"vr": vr, "Value": [_text_value(vr, text) for text in texts]}


def _tags(value: bytes) -> list[str]:
    return [f"{group:04X}{element:04X}" for group, element in struct.iter_unpack("<HH", value)]


def _numbers(vr: str, value: bytes) -> list[int | float | str]:
    numbers = [n for (n,) in struct.iter_unpack("<" + NUMBERS[vr], value)]
    # RFC 8259 knows no NaN and no infinity
    return [str(n) if isinstance(n, float) and not math.isfinite(n) else n for n in numbers]


def _texts(vr: str, value: bytes, encodings: Sequence[str]) -> list[str]:
    if vr in CODED:
        text = decode_bytes(value, encodings, {0x5C, 0x5E, 0x3D} if vr == "PN" else {0x0D, 0x0A, 0x09, 0x0C})
    else:
        text = value.decode("ascii", "replace")
    if vr in SINGLE:
        return [text.rstrip(" \0")]
    return [part.strip(" \0") for part in _split(text)]


def _split(text: str) -> list[str]:
    return [part.strip(" \0") for part in text.split("\\")]


def _text_value(vr: str, text: str) -> Any:
    if not text:
        return None
    if vr == "PN":
        groups = dict(zip(PN_GROUPS, (g.strip(" ") for g in text.split("=")), strict=False))
        return {name: group for name, group in groups.items() if group}
    if vr == "IS" and _INTEGER.fullmatch(text):
        return int(text)
    if vr == "DS" and _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
        return int(text) if _INTEGER.fullmatch(text) else float(text)
    return text


def first_value(json: Mapping[str, Any], tag: str) -> str:
    """The first value of an element as text, "" when there is none (PN: the alphabetic group)."""
    values = json.get(tag, {}).get("Value") or [None]
    value = values[0].get("Alphabetic") if isinstance(values[0], dict) else values[0]
    return "" if value is None else str(value)
