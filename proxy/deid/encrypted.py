"""Encrypted Attributes of our own (PS3.15 E.1.1, PS3.3 C.12.1.1.4): originals that only a security officer can read.

What left otherwise than it came is encrypted as it came: top-level attributes, sequences whole. Left out are private
elements, bulk values, pixel data and documents, so what is in there identifies but does not restore the whole instance.
Always in Explicit VR Little Endian, the one transfer syntax that every reader of such data sets knows. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from proxy.deid.access import SPECIFIC_CHARACTER_SET
from proxy.deid.decisions import ENCRYPTED_ATTRIBUTES_SEQUENCE
from proxy.deid.encode import Element, Item, Part, encode_dataset
from proxy.deid.encrypted_cms import envelope
from proxy.deid.level import Level
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import hkdf
from proxy.deid.reading import known_vr
from proxy.deid.retained import sequences_of
from proxy.deid.scanner import END, OFFSET, PARENT, TAG, Encoding, scan_table
from proxy.deid.tables import TransferSyntax

_TRANSFER_SYNTAX, _CONTENT, _MODIFIED_ATTRIBUTES = 0x04000510, 0x04000520, 0x04000550
_OURS = frozenset({ENCRYPTED_ATTRIBUTES_SEQUENCE, _TRANSFER_SYNTAX, _CONTENT, _MODIFIED_ATTRIBUTES})
_EXPLICIT_LITTLE = b"1.2.840.10008.1.2.1"
#: values that are no attributes in the sense of the profile, but contents
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
#: VR → bytes that turn round with the byte order; AT is two numbers
_UNITS = {"AT": 2, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
#: VRs with a length of 32 bits, besides the bulk ones
_LONG = frozenset({"SV", "UC", "UR", "UT", "UV"})
_PADDING_GROUP = 0xFFFC


def encrypted_originals(root: Level, elements: Mapping[int, Part], syntax: TransferSyntax, policy: Policy) -> Element:
    """Encrypted Attributes Sequence for what ``root`` had and ``elements`` have not, to the policy's recipients."""
    item = tuple(_originals(root, elements, syntax, policy))
    content = encode_dataset((Element(_MODIFIED_ATTRIBUTES, "SQ", (item,)),), implicit=False, little=True)
    sealed = envelope(content, policy.recipients, hkdf(policy.root_key, "originals"))
    inside = (Element(_TRANSFER_SYNTAX, "UI", _EXPLICIT_LITTLE), Element(_CONTENT, "OB", sealed))
    return Element(ENCRYPTED_ATTRIBUTES_SEQUENCE, "SQ", (inside,))


def _originals(root: Level, elements: Mapping[int, Part], syntax: TransferSyntax, policy: Policy) -> Iterator[Element]:
    leaving = _by_tag(_encoded((elements[tag] for tag in sorted(elements)), syntax), syntax, policy)
    for tag in root.tags():
        if not _is_attribute(tag):
            continue
        if tag != SPECIFIC_CHARACTER_SET and leaving.get(tag) == _encoded((_as_it_came(root, tag, syntax),), syntax):
            continue
        original = _original(root, tag, syntax, policy)
        if original is not None:
            yield original


def _encoded(parts: Iterable[Part], syntax: TransferSyntax) -> bytes:
    return encode_dataset(parts, implicit=syntax.implicit, little=syntax.little)


def _by_tag(data: bytes, syntax: TransferSyntax, policy: Policy) -> dict[int, bytes]:
    """The elements of an encoded data set's top level, header and all."""
    encoding = Encoding(syntax.implicit, syntax.little, sequences_of(policy))
    table = scan_table(memoryview(data), 0, encoding, policy.limits).table
    rows = table[table[:, PARENT] < 0][:, (TAG, OFFSET, END)].tolist()
    return {tag: data[offset:end] for tag, offset, end in rows}


def _is_attribute(tag: int) -> bool:
    group = tag >> 16
    return not (group & 1 or group < 8 or group == _PADDING_GROUP or not tag & 0xFFFF or tag in _OURS)


def _as_it_came(level: Level, tag: int, syntax: TransferSyntax) -> Element:
    """With defined lengths; for comparing with what leaves."""
    stated, value = level.value(tag)
    if isinstance(value, bytes):
        # inside UN no VR is stated and the encoding is implicit (PS3.5 6.2.2): as UN again it keeps its meaning
        return Element(tag, stated if stated or syntax.implicit else "UN", value)
    return Element(tag, "SQ", tuple(tuple(_as_it_came(item, each, syntax) for each in item.tags()) for item in value))


def _original(level: Level, tag: int, syntax: TransferSyntax, policy: Policy) -> Element | None:
    """In Explicit VR Little Endian, with its items; None for bulk values."""
    stated, value = level.value(tag)
    if not isinstance(value, bytes):
        return Element(tag, "SQ", tuple(_item(each, syntax, policy) for each in value))
    known = policy.vrs.get(tag) or known_vr(tag)
    vr = known if stated in ("", "UN") else stated
    if not _BULK.isdisjoint(vr.split(" or ")):
        return None
    if not syntax.little and stated not in ("", "UN"):
        value = _turned(value, _UNITS.get(vr, 1))
    if " " in vr or (len(value) > 0xFFFE and vr not in _LONG):
        vr = "UN"  # its bytes are little endian, whichever of the VRs it is of
    return Element(tag, vr, value)


def _item(level: Level, syntax: TransferSyntax, policy: Policy) -> Item:
    copies = (_original(level, tag, syntax, policy) for tag in level.tags() if _is_attribute(tag))
    return tuple(element for element in copies if element is not None)


def _turned(value: bytes, unit: int) -> bytes:
    """Numbers of ``unit`` bytes in the other byte order."""
    return value if unit == 1 else b"".join(value[at : at + unit][::-1] for at in range(0, len(value), unit))
