"""Each dummy document is one of its kind, to the letter: read here by the rules of its format, not by its maker's."""

from __future__ import annotations

import hashlib
import re
import struct
import xml.etree.ElementTree as ElementTree

import pytest

from proxy.deid.documents import CDA_ID, DUMMIES, TITLE
from proxy.deid.pseudonym import uuid8_uid

PDF, CDA, STL, OBJ, MTL = (f"1.2.840.10008.5.1.4.1.1.104.{number}" for number in range(1, 6))


@pytest.mark.parametrize("uid", sorted(DUMMIES))
def test_a_dummy_needs_no_padding_and_names_its_kind(uid: str) -> None:
    dummy = DUMMIES[uid]
    assert len(dummy.document) % 2 == 0
    assert b"\\" not in dummy.document  # the gate would split it
    kinds = {PDF: b"application/pdf", CDA: b"text/XML", STL: b"model/stl", OBJ: b"model/obj", MTL: b"model/mtl"}
    assert dummy.mime == kinds[uid]
    assert bool(dummy.hl7) is (uid == CDA)


def test_the_pdf_s_table_points_at_its_objects() -> None:
    data = DUMMIES[PDF].document
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n+\Z", data)[1])  # type: ignore[index]
    table = re.match(rb"xref\n0 (\d+)\n((?:\d{10} \d{5} [nf] \n)+)trailer\n<< /Size (\d+) /Root 1 0 R >>", data[start:])
    assert table is not None
    rows = re.findall(rb"(\d{10}) (\d{5}) ([nf]) \n", table[2])
    assert int(table[1]) == int(table[3]) == len(rows)
    assert rows[0] == (b"0000000000", b"65535", b"f")
    bodies = {}
    for number, (offset, generation, kind) in enumerate(rows[1:], 1):
        assert (generation, kind) == (b"00000", b"n")
        match = re.compile(rb"%d 0 obj\n(.*?)\nendobj\n" % number, re.DOTALL).match(data, int(offset))
        assert match is not None
        bodies[number] = match[1]
    for body in bodies.values():
        assert {int(n) for n in re.findall(rb"(\d+) 0 R", body)} <= bodies.keys()
    stream = next(body for body in bodies.values() if b"stream" in body)
    length, content = re.fullmatch(rb"<< /Length (\d+) >>\nstream\n(.*)endstream", stream, re.DOTALL).groups()  # type: ignore[union-attr]
    assert int(length) == len(content)
    assert b"(%s) Tj" % TITLE in content
    assert content.count(b"(") == content.count(b")") == 2
    page = next(body for body in bodies.values() if b"/Type /Page " in body)
    assert b"/MediaBox [0 0 595 842]" in page


#: CDA R2 (POCD_HD000040): the required children of ClinicalDocument in the order of its schema, title being optional
CHILDREN = (
    "typeId", "id", "code", "title", "effectiveTime", "confidentialityCode", "recordTarget", "author", "custodian",
    "component",
)  # fmt: skip


def test_the_cda_has_what_its_schema_requires_and_names_nobody() -> None:
    root = ElementTree.fromstring(DUMMIES[CDA].document)
    space = "{urn:hl7-org:v3}"
    assert root.tag == f"{space}ClinicalDocument"
    assert tuple(child.tag.removeprefix(space) for child in root) == CHILDREN
    found = {name: root.find(f"{space}{name}") for name in CHILDREN}
    assert found["typeId"].attrib == {"root": "2.16.840.1.113883.1.3", "extension": "POCD_HD000040"}  # type: ignore[union-attr]
    assert found["id"].attrib == {"root": CDA_ID.decode()}  # type: ignore[union-attr]
    for path in (
        "recordTarget/patientRole/id",
        "author/time",
        "author/assignedAuthor/id",
        "custodian/assignedCustodian/representedCustodianOrganization/id",
    ):
        (element,) = root.findall("/".join(space + step for step in path.split("/")))
        assert element.attrib == {"nullFlavor": "MSK"}
    (text,) = root.findall(f"{space}component/{space}nonXMLBody/{space}text")
    assert text.attrib == {"mediaType": "text/plain"}
    assert text.text


def test_the_cda_s_identifier_is_the_digest_that_it_is_said_to_be() -> None:
    digest = hashlib.sha256(b"veil/v1/document removed").digest()
    assert CDA_ID.decode() == uuid8_uid(digest[:16])
    assert DUMMIES[CDA].hl7 == CDA_ID


def test_the_stl_is_a_closed_surface_seen_from_outside() -> None:
    data = DUMMIES[STL].document
    assert not data.startswith(b"solid")  # or readers take it for the text form
    (count,) = struct.unpack_from("<I", data, 80)
    assert len(data) == 84 + 50 * count
    edges = []
    for number in range(count):
        values = struct.unpack_from("<12fH", data, 84 + 50 * number)
        normal, corners = values[:3], [values[3 * n : 3 * n + 3] for n in (1, 2, 3)]
        assert values[12] == 0
        one, other = ([b - a for a, b in zip(corners[0], corners[n], strict=True)] for n in (1, 2))
        cross = [one[n - 2] * other[n - 1] - one[n - 1] * other[n - 2] for n in range(3)]
        length = sum(part * part for part in cross) ** 0.5
        assert normal == pytest.approx([part / length for part in cross], abs=1e-6)
        edges += [(corners[n], corners[n - 2]) for n in range(3)]
    assert len(set(edges)) == len(edges)
    assert {(b, a) for a, b in edges} == set(edges)  # each edge once in either direction


def test_the_obj_is_the_same_solid_and_the_mtl_one_material() -> None:
    lines = DUMMIES[OBJ].document.decode("ascii").splitlines()
    corners = [line for line in lines if line.startswith("v ")]
    faces = [tuple(map(int, line.split()[1:])) for line in lines if line.startswith("f ")]
    assert {number for face in faces for number in face} == set(range(1, len(corners) + 1))
    edges = {(face[n], face[n - 2]) for face in faces for n in range(3)}
    assert len(edges) == 3 * len(faces)
    assert {(b, a) for a, b in edges} == edges
    assert not any(line.startswith("mtllib") for line in lines)
    material = DUMMIES[MTL].document.decode("ascii").splitlines()
    assert [line.split()[0] for line in material if line and not line.startswith("#")] == ["newmtl", "Kd"]
