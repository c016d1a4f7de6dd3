"""The Native DICOM Model (PS3.19 A.1), the XML of DICOMweb, to and from the objects of the DICOM JSON Model.

One model inside (JSON, PS3.18 F), two ways to write it. Nothing outside the document is ever read: a document type
declaration is refused, and with it every entity. Pure; `XmlError` for what is no such document, without quoting it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from pydicom.datadict import keyword_for_tag

Json = dict[str, Any]
NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
#: characters that XML 1.0 cannot carry at all; a carriage return would be read back as a line feed
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAG, _VR = re.compile(r"[0-9A-Fa-f]{8}"), re.compile(r"[A-Z]{2}")
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_INTEGERS = _NUMBERS - {"DS", "FD", "FL"}
_DEEPEST = 200


class XmlError(ValueError):
    """Not a Native DICOM Model; says what is wrong and quotes nothing."""


def to_xml(instance: Json) -> bytes:
    """``instance``, a DICOM JSON object, as one XML document."""
    return (_HEAD + "".join(_attributes(instance)) + "</NativeDicomModel>").encode("utf-8")


def from_xml(document: bytes) -> Json:
    """The DICOM JSON object of one XML document; `XmlError`."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise XmlError(f"not well-formed XML, line {error.lineno}") from None
    return reader.model()


def _refuse(*_: object) -> None:
    raise XmlError("a document type declaration")


def _attributes(instance: Json) -> Iterator[str]:
    for tag, element in sorted(instance.items()):
        keyword = keyword_for_tag(int(tag, 16))
        named = f" keyword={quoteattr(keyword)}" if keyword else ""
        yield f'<DicomAttribute tag="{tag}" vr="{element["vr"]}"{named}>'
        if "BulkDataURI" in element:
            yield f"<BulkData uri={quoteattr(_clean(element['BulkDataURI']))}/>"
        elif "InlineBinary" in element:
            yield f"<InlineBinary>{element['InlineBinary']}</InlineBinary>"
        for number, value in enumerate(element.get("Value", ()), 1):
            yield _value(element["vr"], number, value)
        yield "</DicomAttribute>"


def _value(vr: str, number: int, value: Any) -> str:
    if vr == "SQ":
        return f'<Item number="{number}">{"".join(_attributes(value or {}))}</Item>'
    if value is None:
        return ""  # the number of the next one tells
    if vr == "PN":
        groups = (f"<{group}>{_name(value[group])}</{group}>" for group in _GROUPS if value.get(group))
        return f'<PersonName number="{number}">{"".join(groups)}</PersonName>'
    return f'<Value number="{number}">{_text(str(value))}</Value>'


def _name(group: str) -> str:
    parts = zip(_COMPONENTS, group.split("^"), strict=False)
    return "".join(f"<{name}>{_text(part)}</{name}>" for name, part in parts if part)


def _text(value: str) -> str:
    return escape(_clean(value)).replace("\r", "&#13;")


def _clean(value: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value)


class _Reader:
    """Builds the objects while expat reads. ``_open`` holds what is around: (name, what is being filled)."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Any]] = []
        self._root: Json | None = None
        self._letters: list[str] = []

    def model(self) -> Json:
        if self._root is None:
            raise XmlError("no NativeDicomModel")
        return self._root

    def start(self, qualified: str, attributes: dict[str, str]) -> None:
        space, _, name = qualified.rpartition(" ")
        around = self._open[-1][0] if self._open else ""
        if space not in ("", NAMESPACE) or around not in _PARENTS.get(name, ()):
            raise XmlError("an element where it does not belong")
        if len(self._open) >= _DEEPEST:
            raise XmlError("nested too deeply")
        self._letters.clear()
        self._open.append((name, self._opened(name, attributes)))

    def _opened(self, name: str, attributes: dict[str, str]) -> Any:
        inside: Any = self._open[-1][1] if self._open else None
        if name == "NativeDicomModel":
            self._root = {}
            return self._root
        if name == "DicomAttribute":
            tag, vr = attributes.get("tag", ""), attributes.get("vr", "")
            if not _TAG.fullmatch(tag) or not _VR.fullmatch(vr) or tag.upper() in inside:
                raise XmlError("an attribute without tag and VR, or twice")
            return inside.setdefault(tag.upper(), {"vr": vr})
        if name == "BulkData":
            inside["BulkDataURI"] = attributes.get("uri", "")
        if name in ("Item", "PersonName"):
            return _placed(inside, attributes, {})
        if name in ("Value", "InlineBinary"):
            return (inside, attributes)
        if name in _GROUPS:
            return (inside, name, {})
        return inside

    def text(self, letters: str) -> None:
        if self._open and self._open[-1][0] in ("Value", "InlineBinary", *_COMPONENTS):
            self._letters.append(letters)
        elif letters.strip():
            raise XmlError("text where none belongs")

    def end(self, _: str) -> None:
        name, filled = self._open.pop()
        said = "".join(self._letters)
        self._letters.clear()
        if name == "Value":
            _placed(filled[0], filled[1], _typed(filled[0]["vr"], said))
        elif name == "InlineBinary":
            filled[0]["InlineBinary"] = "".join(said.split())
        elif name in _COMPONENTS:
            self._open[-1][1][2][name] = said
        elif name in _GROUPS:
            person, group, parts = filled
            person[group] = "^".join(parts.get(part, "") for part in _COMPONENTS).rstrip("^")


def _placed(element: Json, attributes: dict[str, str], value: Any) -> Any:
    """``value`` at its number in ``element``; numbers that were left out are empty values."""
    values = element.setdefault("Value", [])
    number = attributes.get("number", "")
    at = int(number) if number.isascii() and number.isdecimal() and len(number) < 8 else 0
    if not len(values) < at <= len(values) + 10_000:
        raise XmlError("values out of order")
    values.extend([None] * (at - 1 - len(values)))
    values.append(value)
    return value


def _typed(vr: str, said: str) -> Any:
    if vr not in _NUMBERS or not said.strip():
        return said if said else None
    try:
        return int(said) if vr in _INTEGERS else float(said)
    except ValueError:
        return said


#: element → what it may stand in
_PARENTS = {
    "NativeDicomModel": ("",),
    "DicomAttribute": ("NativeDicomModel", "Item"),
    **dict.fromkeys(("Value", "Item", "PersonName", "BulkData", "InlineBinary"), ("DicomAttribute",)),
    **dict.fromkeys(_GROUPS, ("PersonName",)),
    **dict.fromkeys(_COMPONENTS, _GROUPS),
}
