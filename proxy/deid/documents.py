"""Dummy documents: what stands where an encapsulated document was removed (PS3.15 E.1.1 D, PS3.3 C.24.2).

One constant for each kind, the smallest that a reader of that kind opens and shows. They say nothing about what stood
there, so they are the same for everybody, and the gate compares with them byte by byte. Pure data.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

TITLE = b"Document removed"
_SENTENCE = b"This document was removed when the instance was de-identified."
#: the CDA's own identifier: it is one and the same document wherever it stands. UUIDv8 (RFC 9562) under 2.25
CDA_ID = b"2.25.281129270705075792245363778294501953573"


@dataclass(frozen=True, slots=True)
class Dummy:
    """A document, its MIME type, and its (0040,E001) HL7 Instance Identifier where its kind has one."""

    mime: bytes
    document: bytes
    hl7: bytes = b""


def _pdf() -> bytes:
    """One A4 page in Helvetica, which every reader has (PDF 1.4, ISO 32000-1 7.5)."""
    page = b"BT /F1 20 Tf 72 760 Td (%s) Tj /F1 11 Tf 0 -28 Td (%s) Tj ET\n" % (TITLE, _SENTENCE)
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%sendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, each in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def _cda() -> bytes:
    """CDA R2: what POCD_HD000040 requires, each value masked, and a body of one sentence."""
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<ClinicalDocument xmlns="urn:hl7-org:v3">\n'
        b'<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>\n'
        b'<id root="%s"/>\n'
        b'<code nullFlavor="MSK"/>\n'
        b"<title>%s</title>\n"
        b'<effectiveTime nullFlavor="MSK"/>\n'
        b'<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>\n'
        b'<recordTarget><patientRole><id nullFlavor="MSK"/></patientRole></recordTarget>\n'
        b'<author><time nullFlavor="MSK"/><assignedAuthor><id nullFlavor="MSK"/></assignedAuthor></author>\n'
        b"<custodian><assignedCustodian><representedCustodianOrganization>"
        b'<id nullFlavor="MSK"/></representedCustodianOrganization></assignedCustodian></custodian>\n'
        b'<component><nonXMLBody><text mediaType="text/plain">%s</text></nonXMLBody></component>\n'
        b"</ClinicalDocument>\n" % (CDA_ID, TITLE, _SENTENCE)
    )


#: a tetrahedron with edges along the axes, faces counter-clockwise seen from outside: the least that is a solid
_CORNERS = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_FACES = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
_NORMALS = ((0.0, 0.0, -1.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (3**-0.5,) * 3)


def _stl() -> bytes:
    """Binary STL: 80 bytes of header, the number of facets, each a normal and three corners (32-bit floats)."""
    facets = (
        struct.pack("<12fH", *normal, *(number for corner in face for number in _CORNERS[corner]), 0)
        for normal, face in zip(_NORMALS, _FACES, strict=True)
    )
    return TITLE.ljust(80, b"\0") + struct.pack("<I", len(_FACES)) + b"".join(facets)


def _obj() -> bytes:
    """Wavefront OBJ; corners count from 1. Names no material library."""
    corners = b"".join(b"v %g %g %g\n" % corner for corner in _CORNERS)
    faces = b"".join(b"f %d %d %d\n" % tuple(corner + 1 for corner in face) for face in _FACES)
    return b"# %s\no removed\n%s%s" % (TITLE, corners, faces)


def _mtl() -> bytes:
    """Wavefront MTL: one grey material."""
    return b"# %s\nnewmtl removed\nKd 0.5 0.5 0.5\n" % TITLE


def _even(document: bytes) -> bytes:
    """Text kinds end with one line feed more where that makes the length even: then nothing pads the value."""
    return document + b"\n" * (len(document) % 2)


#: SOP class (PS3.4 B.5) → what replaces its document
DUMMIES: Mapping[str, Dummy] = {
    "1.2.840.10008.5.1.4.1.1.104.1": Dummy(b"application/pdf", _even(_pdf())),
    "1.2.840.10008.5.1.4.1.1.104.2": Dummy(b"text/XML", _even(_cda()), CDA_ID),
    "1.2.840.10008.5.1.4.1.1.104.3": Dummy(b"model/stl", _stl()),
    "1.2.840.10008.5.1.4.1.1.104.4": Dummy(b"model/obj", _even(_obj())),
    "1.2.840.10008.5.1.4.1.1.104.5": Dummy(b"model/mtl", _even(_mtl())),
}
#: values that say nothing of any input
CONSTANTS = frozenset({TITLE, CDA_ID}).union(
    *((dummy.mime, dummy.document, dummy.document.strip(b" \0")) for dummy in DUMMIES.values())
)
