"""Encapsulated documents: held, or replaced by the dummy of their kind, and nothing but that dummy passes the gate."""

from __future__ import annotations

import io
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from proxy.deid.allowed_documents import ABOUT_DOCUMENTS
from proxy.deid.bulk import TAGS
from proxy.deid.documents import DUMMIES
from proxy.deid.engine import explain
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.errors import ConfigError, InstanceHeld, Reason
from proxy.store.rulebook import load_profile

GATE = Gate(bytes(32))
PDF, CDA = "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.104.2"
DOCUMENT = b"a letter about Jane Doe, born 1950-01-01 "


def policy(make: ModuleType, word: Any = "dummy", **more: Any) -> Policy:
    document = {**load_profile("basic"), "documents": word, **more}
    return compile_policy(make.tables(), PolicySpec("research", document, make.KEY))


def letter(make: ModuleType, sop_class: str, **more: Any) -> Dataset:
    said: dict[str, Any] = {
        "BurnedInAnnotation": "YES",
        "RecognizableVisualFeatures": "YES",
        "DocumentTitle": "Letter about Doe, Jane",
        "EncapsulatedDocument": DOCUMENT,
        "EncapsulatedDocumentLength": len(DOCUMENT) - 1,
        "MIMETypeOfEncapsulatedDocument": "text/x-letter",
        "ListOfMIMETypes": ["image/jpeg"],
        "VerificationFlag": "VERIFIED",
        "HL7InstanceIdentifier": "1.2.3.4^Doe",
    }
    return make.dataset(sop_class, **said | more)  # type: ignore[no-any-return]


@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "IMPLICIT_LITTLE", "EXPLICIT_BIG", "DEFLATED"])
@pytest.mark.parametrize("uid", sorted(DUMMIES))
def test_the_dummy_of_its_kind_and_what_is_said_of_it(make: ModuleType, uid: str, syntax: str) -> None:
    under, data = policy(make), make.encode(letter(make, uid), getattr(make, syntax))
    result, out = make.run(data, under)
    GATE.verify(memoryview(data), result, under)
    ds, dummy = dcmread(io.BytesIO(out)), DUMMIES[uid]
    assert ds.EncapsulatedDocument == dummy.document
    assert ds.EncapsulatedDocumentLength == len(dummy.document)
    assert ds.MIMETypeOfEncapsulatedDocument == dummy.mime.decode()
    assert ds.DocumentTitle == "Document removed"
    assert (ds.BurnedInAnnotation, ds.RecognizableVisualFeatures, ds.VerificationFlag) == ("NO", "NO", "UNVERIFIED")
    assert "ListOfMIMETypes" not in ds
    assert ds.get("HL7InstanceIdentifier", "") == dummy.hl7.decode()
    assert make.run(data, under)[1] == out


@pytest.mark.parametrize("uid", sorted(DUMMIES))
def test_what_was_not_said_is_not_said_now(make: ModuleType, uid: str) -> None:
    ds = make.through(make.dataset(uid, EncapsulatedDocument=DOCUMENT), policy(make))
    assert "RecognizableVisualFeatures" not in ds
    assert "VerificationFlag" not in ds
    assert ds.BurnedInAnnotation == "NO"


def test_references_stay_remapped(make: ModuleType) -> None:
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = make.CT, "1.2.3.9"
    ds = make.through(letter(make, CDA, SourceInstanceSequence=[source]), policy(make))
    assert ds.SourceInstanceSequence[0].ReferencedSOPInstanceUID.startswith("2.25.")


@pytest.mark.parametrize("uid", sorted(DUMMIES))
def test_held_unless_the_profile_says_dummy(make: ModuleType, uid: str) -> None:
    for under in (policy(make, "hold"), make.policy("basic"), make.policy("basic", uninspected_pixels="forward")):
        with pytest.raises(InstanceHeld) as held:
            make.run(make.encode(letter(make, uid)), under)
        assert held.value.reason is Reason.ENCAPSULATED_DOCUMENT


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"])
def test_a_document_in_another_class_is_held(make: ModuleType, sop_class: str) -> None:
    with pytest.raises(InstanceHeld) as held:
        make.run(make.encode(letter(make, sop_class)), policy(make))
    assert held.value.reason is Reason.ENCAPSULATED_DOCUMENT


def test_pixels_beside_a_document_are_held(make: ModuleType) -> None:
    ds = letter(make, CDA, Rows=1, Columns=2, BitsAllocated=8, PixelData=b"\1\2")
    ds["PixelData"].VR = "OB"
    with pytest.raises(InstanceHeld) as held:
        make.run(make.encode(ds), policy(make))
    assert held.value.reason is Reason.ENCAPSULATED_DOCUMENT


@pytest.mark.parametrize("word", ["keep", "", None, True, "Dummy"])
def test_other_words_refuse_to_load(make: ModuleType, word: Any) -> None:
    with pytest.raises(ConfigError, match="documents: it is hold or dummy"):
        policy(make, word)


def test_the_word_is_part_of_the_digest(make: ModuleType) -> None:
    assert policy(make, "hold").digest != policy(make).digest


def test_a_site_s_rule_does_not_bring_the_document_back(make: ModuleType) -> None:
    rules = [{"match": {"keyword": ["EncapsulatedDocument", "DocumentTitle"]}, "do": "keep"}]
    under, data = policy(make, rules=rules), make.encode(letter(make, CDA))
    result, out = make.run(data, under)
    GATE.verify(memoryview(data), result, under)
    assert b"Doe" not in out


def test_people_named_like_words_of_a_dummy_do_not_hold_it(make: ModuleType) -> None:
    for uid in DUMMIES:
        ds = letter(make, uid, PatientName="Document^Removed", PatientID="Helvetica")
        data, under = make.encode(ds), policy(make)
        GATE.verify(memoryview(data), make.run(data, under)[0], under)


def test_the_gate_judges_all_that_the_engine_writes() -> None:
    assert set(TAGS) == ABOUT_DOCUMENTS


def test_explain_says_so(make: ModuleType) -> None:
    steps = explain(memoryview(make.encode(letter(make, CDA))), Claimed(), policy(make))
    added = {step.tag for step in steps if step.rule == "profile documents dummy"}
    assert {0x00420010, 0x00420011, 0x00420012, 0x00420015, 0x00280301, 0x0040E001} <= added


#: what an engine could get wrong, as bytes of the released output and what they become
WRONG = {
    "another document": lambda uid: (DUMMIES[uid].document, DUMMIES[uid].document[:-2] + b"X\n"),
    "another title": lambda uid: (b"Document removed", b"Document rem0ved"),
    "another type": lambda uid: (DUMMIES[uid].mime, b"x" * len(DUMMIES[uid].mime)),
    "verified": lambda uid: (b"UNVERIFIED", b"VERIFIED  "),
    "burned in": lambda uid: (b"\x28\x00\x01\x03CS\x02\x00NO", b"\x28\x00\x01\x03CS\x02\x00  "),
}


@pytest.mark.parametrize("uid", sorted(DUMMIES))
@pytest.mark.parametrize("what", WRONG)
def test_the_gate_takes_nothing_but_the_dummy(make: ModuleType, uid: str, what: str) -> None:
    data, under = make.encode(letter(make, uid)), policy(make)
    result, out = make.run(data, under)
    before, after = WRONG[what](uid)
    assert before in out
    forged = replace(result, chunks=(out.replace(before, after),))
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), forged, under)
    assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED


def test_the_gate_takes_no_document_of_another_kind_nor_where_documents_are_held(make: ModuleType) -> None:
    data, under = make.encode(letter(make, PDF)), policy(make)
    result, _ = make.run(data, under)
    with pytest.raises(InstanceHeld, match="not of the dummy document"):
        GATE.verify(memoryview(data), result, policy(make, "hold"))
    other = make.encode(letter(make, make.CT))
    with pytest.raises(InstanceHeld, match="not of the dummy document"):
        GATE.verify(memoryview(other), result, under)
