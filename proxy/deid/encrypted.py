"""Encrypted Attributes of our own (PS3.15 E.1.1, PS3.3 C.12.1.1.4): originals that only a security officer can read.

What left otherwise than it came is encrypted as it came: top-level attributes, sequences whole. Left out are private
elements, bulk values, pixel data and documents, so what is in there identifies but does not restore the whole instance.
The result stands in Encrypted Attributes Sequence; one from upstream is removed like any other original. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
#: values that are no attributes in the sense of the profile, but contents
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
#: implicit?, little endian? → the transfer syntax of the encrypted data set: that of the instance, uncompressed
_SYNTAXES = {
    (True, True): b"1.2.840.10008.1.2",
    (False, True): b"1.2.840.10008.1.2.1",
    (False, False): b"1.2.840.10008.1.2.2",
}
_PADDING_GROUP = 0xFFFC


def encrypted_originals(root: Level, elements: Mapping[int, Part], syntax: TransferSyntax, policy: Policy) -> Element:
    """Encrypted Attributes Sequence for what ``root`` had and ``elements`` have not, to the policy's recipients."""
    item = tuple(_originals(root, elements, syntax, policy))
    content = _encoded((Element(_MODIFIED_ATTRIBUTES, "SQ", (item,)),), syntax)
    sealed = envelope(content, policy.recipients, hkdf(policy.root_key, "originals"))
    uid = _SYNTAXES[syntax.implicit, syntax.little]
    inside = (Element(_TRANSFER_SYNTAX, "UI", uid), Element(_CONTENT, "OB", sealed))
    return Element(ENCRYPTED_ATTRIBUTES_SEQUENCE, "SQ", (inside,))


def _originals(root: Level, elements: Mapping[int, Part], syntax: TransferSyntax, policy: Policy) -> Iterator[Element]:
    leaving = _by_tag(_encoded((elements[tag] for tag in sorted(elements)), syntax), syntax, policy)
    for tag in root.tags():
        if not _is_attribute(tag):
            continue
        whole = _copy(root, tag, syntax, lean=False)
        if tag != SPECIFIC_CHARACTER_SET and whole is not None and leaving.get(tag) == _encoded((whole,), syntax):
            continue
        lean = _copy(root, tag, syntax, lean=True)
        if lean is not None:
            yield lean


def _encoded(parts: Iterator[Part] | tuple[Part, ...], syntax: TransferSyntax) -> bytes:
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


def _copy(level: Level, tag: int, syntax: TransferSyntax, *, lean: bool) -> Element | None:
    """An element as it came, with defined lengths; ``lean``: None for bulk values, and items without them."""
    stated, value = level.value(tag)
    # inside UN no VR is stated and the encoding is implicit (PS3.5 6.2.2): as UN again it keeps its meaning
    vr = stated if stated or syntax.implicit else "UN"
    if not isinstance(value, bytes):
        return Element(tag, "SQ", tuple(_item(each, syntax, lean) for each in value))
    kind = known_vr(tag) if stated in ("", "UN") else stated
    if lean and not _BULK.isdisjoint(kind.split(" or ")):
        return None
    return Element(tag, vr, value)


def _item(level: Level, syntax: TransferSyntax, lean: bool) -> Item:
    tags = [tag for tag in level.tags() if not lean or _is_attribute(tag)]
    copies = (_copy(level, tag, syntax, lean=lean) for tag in tags)
    return tuple(element for element in copies if element is not None)
