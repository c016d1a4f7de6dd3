"""Encrypted attributes: what an officer reads is what the instance had; the gate lets nothing else through."""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

from proxy.deid.encode import Element, encode_dataset
from proxy.deid.encrypted_open import open_envelope
from proxy.deid.encrypted_read import read_envelope
from proxy.deid.engine import explain
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed, materialise
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld, Reason
from proxy.store.rulebook import load_profile
from tests.deid.officers import officer, opened_by_openssl

GATE = Gate(bytes(32))
SYNTAXES = ["EXPLICIT_LITTLE", "IMPLICIT_LITTLE", "EXPLICIT_BIG", "DEFLATED"]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def policy(make: ModuleType, *officers: int, base: str = "basic", **more: Any) -> Policy:
    profile = {**load_profile(base), "pixels": {"faces": "forward", "text": "off"}, **more}
    certificates = tuple(officer(number).certificate for number in officers)
    return compile_policy(
        make.tables(), PolicySpec("research", profile, make.KEY, encrypt_to=certificates, blank_patient_id="per-study")
    )


def planted(make: ModuleType) -> Dataset:
    inner = Dataset()
    inner.ReferencedSOPClassUID, inner.ReferencedSOPInstanceUID = make.CT, "1.2.3.9"
    inner.EncapsulatedDocument, inner.Rows, inner.RealWorldValueSlope = b"bulky.", 258, 0.5
    inner.SelectorAttribute, inner.ReferencedSamplePositions = 0x00100020, [1, 70_000]
    inner.add_new(0x00291010, "LO", "planted")
    ds = make.dataset(
        SpecificCharacterSet="ISO_IR 100", PatientBirthDate="19500101", StudyDate="20240229", Manufacturer="M",
        OtherPatientNames=["Müller^Jürgen", "Doe^J"], ReferencedImageSequence=[inner], BodyPartExamined="CHEST",
        StudyDescription="Thorax", Rows=7, CertificateOfSigner=b"bulky.",
    )  # fmt: skip
    ds.add_new(0x00090010, "LO", "ACME")
    ds.add_new(0x00091001, "LO", "planted")
    return ds  # type: ignore[no-any-return]


def sealed(out: bytes) -> tuple[str, bytes]:
    (item,) = dcmread(io.BytesIO(out)).EncryptedAttributesSequence
    return item.EncryptedContentTransferSyntaxUID, item.EncryptedContent


def originals(uid: str, content: bytes) -> Dataset:
    ds = read_dataset(io.BytesIO(content), UID(uid).is_implicit_VR, UID(uid).is_little_endian)
    assert list(ds.keys()) == [0x04000550]
    (item,) = ds.ModifiedAttributesSequence
    return item  # type: ignore[no-any-return]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_each_officer_reads_what_the_instance_had(make: ModuleType, syntax: str, tmp_path: Path) -> None:
    ds, under = planted(make), policy(make, 0, 1)
    data = make.encode(ds, getattr(make, syntax))
    result, out = make.run(data, under)
    GATE.verify(memoryview(data), result, under)
    uid, blob = sealed(out)
    assert uid == make.EXPLICIT_LITTLE
    for number in (0, 1):
        content = open_envelope(memoryview(blob), officer(number).key)
        if (foreign := opened_by_openssl(blob, officer(number), tmp_path)) is not None:
            assert foreign == content
        found = originals(uid, content)
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "StudyDate", "OtherPatientNames",
                        "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet"):  # fmt: skip
            assert found[keyword].value == ds[keyword].value, keyword
        (reference,) = found.ReferencedImageSequence
        assert reference.ReferencedSOPInstanceUID == "1.2.3.9"
        assert (reference.Rows, reference.RealWorldValueSlope) == (258, 0.5)
        assert (reference.SelectorAttribute, list(reference.ReferencedSamplePositions)) == (0x00100020, [1, 70_000])
        assert "EncapsulatedDocument" not in reference
        assert not any(element.tag.is_private for element in found.iterall())
        # these left as they came, or are bulk
        assert not {"Rows", "BodyPartExamined", "SOPClassUID", "CertificateOfSigner"} & {e.keyword for e in found}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_resend_makes_the_same_bytes(make: ModuleType, syntax: str) -> None:
    data = make.encode(planted(make), getattr(make, syntax))
    first = make.run(data, policy(make, 0, 1))[1]
    assert make.run(data, policy(make, 1, 0))[1] == first
    assert make.run(data, policy(make, 0))[1] != first


def test_another_process_makes_the_same_bytes(make: ModuleType) -> None:
    data, under = make.encode(planted(make)), policy(make, 0, 1)
    assert make.run(data, pickle.loads(pickle.dumps(under)))[1] == make.run(data, under)[1]


def test_a_text_too_long_for_its_vr_is_there_too(make: ModuleType) -> None:
    """Implicit VR has no lengths of 16 bits."""
    text = "history " * 9000
    data, under = make.encode(make.dataset(AdditionalPatientHistory=text), make.IMPLICIT_LITTLE), policy(make, 0)
    content = open_envelope(memoryview(sealed(make.run(data, under)[1])[1]), officer().key)
    assert b"\x10\x00\xb0\x21UN\0\0" + struct.pack("<I", len(text)) + text.encode() in content


@pytest.mark.parametrize("syntax", ["EXPLICIT_LITTLE", "IMPLICIT_LITTLE"])
def test_gdcm_re_identifies_it(make: ModuleType, syntax: str, tmp_path: Path) -> None:
    """PS3.15 E.1.2 by another program, from the envelope to the attributes."""
    gdcm = pytest.importorskip("gdcm")
    _, out = make.run(make.encode(planted(make), getattr(make, syntax)), policy(make, 0, 1))
    names = [str(tmp_path / name) for name in ("in.dcm", "key", "cert", "out.dcm")]
    for name, data in zip(names, (out, officer(1).key_pem, officer(1).certificate.encode()), strict=False):
        Path(name).write_bytes(data)
    cms = gdcm.CryptoFactory.GetFactoryInstance(gdcm.CryptoFactory.OPENSSL).CreateCMSProvider()
    assert cms.ParseKeyFile(names[1])
    assert cms.ParseCertificateFile(names[2])
    reader, writer = gdcm.Reader(), gdcm.Writer()
    reader.SetFileName(names[0])
    assert reader.Read()
    anonymizer = gdcm.Anonymizer()
    anonymizer.SetFile(reader.GetFile())
    anonymizer.SetCryptographicMessageSyntax(cms)
    assert anonymizer.BasicApplicationLevelConfidentialityProfile(False)
    writer.SetFileName(names[3])
    writer.SetFile(reader.GetFile())
    assert writer.Write()
    back = dcmread(names[3])
    assert (back.PatientID, back.PatientBirthDate, back.SOPInstanceUID) == ("4711", "19500101", "1.2.3.4")
    assert "EncryptedAttributesSequence" not in back


def test_what_leaves_besides_is_what_leaves_without(make: ModuleType) -> None:
    data = make.encode(planted(make))
    out, plain = (dcmread(io.BytesIO(make.run(data, under)[1])) for under in (policy(make, 0), policy(make)))
    assert "EncryptedAttributesSequence" not in plain
    del out.EncryptedAttributesSequence
    assert out == plain


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "waveform_ecg.dcm", "reportsi.dcm"])
def test_what_did_not_leave_as_it_came_is_there_and_nothing_else(make: ModuleType, name: str) -> None:
    path = get_testdata_file(name)
    data = Path(str(path)).read_bytes()
    for base in ("basic", "research"):
        under = policy(make, 0, base=base)
        result, out = make.run(data, under)
        GATE.verify(memoryview(data), result, under)
        uid, blob = sealed(out)
        found = originals(uid, open_envelope(memoryview(blob), officer().key))
        before, after = dcmread(io.BytesIO(data)), dcmread(io.BytesIO(out))
        bulk = {"OB", "OW", "OB or OW", "UN"}
        changed = {
            element.tag for element in before
            if not element.tag.is_private and element.VR not in bulk and element.tag.element
            and (element.tag not in after or after[element.tag].value != element.value)
        }  # fmt: skip
        charset = {0x00080005} & set(before.keys())
        assert set(found.keys()) - charset == changed - charset
        assert charset <= set(found.keys())


def test_encrypted_attributes_from_upstream_go_whatever_the_profile_says(make: ModuleType) -> None:
    item = Dataset()
    item.EncryptedContentTransferSyntaxUID, item.EncryptedContent = make.EXPLICIT_LITTLE, b"planted."
    ds = make.dataset(EncryptedAttributesSequence=[item], ReferencedImageSequence=[])
    nested = Dataset()
    nested.EncryptedAttributesSequence = [item]
    ds.AnatomicRegionSequence = [nested]
    unlisted = dict(load_profile("basic")["unlisted"])
    keeping = {"(0400,0500)": "keep", "(0400,0520)": "keep", "(0400,0510)": "keep"}
    unlisted["attributes"] = {**unlisted["attributes"], **keeping}
    data = make.encode(ds)
    for under in (policy(make), policy(make, unlisted=unlisted), policy(make, 0, unlisted=unlisted)):
        result, out = make.run(data, under)
        GATE.verify(memoryview(data), result, under)
        assert b"planted" not in out
        assert ("EncryptedAttributesSequence" in dcmread(io.BytesIO(out))) is bool(under.recipients)


def test_the_certificates_are_part_of_the_digest_and_explain_says_so(make: ModuleType) -> None:
    assert len({policy(make).digest, policy(make, 0).digest, policy(make, 1).digest, policy(make, 0, 1).digest}) == 4
    steps = explain(memoryview(make.encode(planted(make))), Claimed(), policy(make, 0))
    (step,) = [step for step in steps if step.tag == 0x04000500]
    assert (step.action, step.rule) == ("add", "originals, encrypted to the project's certificates")


def test_pixels_left_alone_and_the_report_count_it(make: ModuleType) -> None:
    data = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
    with_, without = (make.run(data, under)[0] for under in (policy(make, 0), policy(make)))
    assert with_.report.counts["added"] == without.report.counts["added"] + 1
    assert materialise(with_.chunks[1:], data) == materialise(without.chunks[1:], data)


# ---- the gate

Forge = Callable[[Dataset, bytes], None]


def _clear(ds: Dataset, blob: bytes) -> None:
    """The content in clear, in an envelope of the right form."""
    clear = encode_dataset((Element(0x04000550, "SQ", ()),), implicit=False, little=True)
    ds.EncryptedAttributesSequence[0].EncryptedContent = _with_content(blob, clear)


def _with_content(blob: bytes, content: bytes) -> bytes:
    old = bytes(read_envelope(memoryview(blob)).content)
    at = blob.index(old)
    return blob[:at] + content.ljust(len(old), b"\0")[: len(old)] + blob[at + len(old) :]


def _twice(ds: Dataset, blob: bytes) -> None:
    ds.EncryptedAttributesSequence.append(ds.EncryptedAttributesSequence[0])


def _more(ds: Dataset, blob: bytes) -> None:
    ds.EncryptedAttributesSequence[0].PatientComments = "more"


def _syntax(ds: Dataset, blob: bytes) -> None:
    ds.EncryptedAttributesSequence[0].EncryptedContentTransferSyntaxUID = "1.2.840.10008.1.2.4.50"


def _no_envelope(ds: Dataset, blob: bytes) -> None:
    ds.EncryptedAttributesSequence[0].EncryptedContent = b"\0" * len(blob)


def _big_key(ds: Dataset, blob: bytes) -> None:
    ((_, key),) = read_envelope(memoryview(blob)).keys
    ds.EncryptedAttributesSequence[0].EncryptedContent = blob.replace(key, b"\xff" * len(key))


def _gone(ds: Dataset, blob: bytes) -> None:
    del ds.EncryptedAttributesSequence


def _nested(ds: Dataset, blob: bytes) -> None:
    item = Dataset()
    item.EncryptedAttributesSequence = ds.EncryptedAttributesSequence
    ds.AnatomicRegionSequence = [item]


def _empty(ds: Dataset, blob: bytes) -> None:
    ds.EncryptedAttributesSequence = []


def _empty_item(ds: Dataset, blob: bytes) -> None:
    del ds.EncryptedAttributesSequence[0].EncryptedContent


def _nested_empty(ds: Dataset, blob: bytes) -> None:
    item = Dataset()
    item.EncryptedAttributesSequence = []
    ds.AnatomicRegionSequence = [item]


def _moved(ds: Dataset, blob: bytes) -> None:
    ds.EncryptedContent = blob


@pytest.mark.parametrize(
    "forge",
    [
        _clear,
        _twice,
        _more,
        _syntax,
        _no_envelope,
        _big_key,
        _gone,
        _nested,
        _nested_empty,
        _moved,
        _empty,
        _empty_item,
    ],
    ids=lambda f: f.__name__,
)
def test_the_gate_takes_exactly_one_envelope_to_exactly_these(make: ModuleType, forge: Forge) -> None:
    under, data = policy(make, 0), make.encode(make.dataset())
    result, out = make.run(data, under)
    ds = dcmread(io.BytesIO(out))
    forge(ds, sealed(out)[1])
    forged = out[: out.index(b"\x08\x00\x16\x00")] + _body(ds)
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), replace(result, chunks=(forged,)), under)
    assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED


def _body(ds: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_dataset(buffer, ds)
    return bytes(buffer.getvalue())


def test_writing_the_output_again_changes_nothing(make: ModuleType) -> None:
    """So what `test_the_gate_takes_exactly_one…` sees is what it forged."""
    under, data = policy(make, 0), make.encode(make.dataset())
    result, out = make.run(data, under)
    again = out[: out.index(b"\x08\x00\x16\x00")] + _body(dcmread(io.BytesIO(out)))
    assert again == out
    GATE.verify(memoryview(data), replace(result, chunks=(again,)), under)


@pytest.mark.parametrize(("made", "judged"), [((0,), ()), ((0,), (1,)), ((0, 1), (0,)), ((0,), (0, 1)), ((), (0,))])
def test_the_gate_knows_to_whom(make: ModuleType, made: tuple[int, ...], judged: tuple[int, ...]) -> None:
    data = make.encode(planted(make))
    result, _ = make.run(data, policy(make, *made))
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), result, policy(make, *judged))
    assert held.value.reason is Reason.ELEMENT_NOT_ALLOWED


def test_the_gate_finds_originals_that_were_not_encrypted(make: ModuleType) -> None:
    """An engine that forgot the cipher: the envelope has its form, the search finds what stands in it."""
    under, data = policy(make, 0), make.encode(planted(make))
    result, out = make.run(data, under)
    blob = sealed(out)[1]
    content = open_envelope(memoryview(blob), officer().key)
    clear = b"\0" * 16 + content + bytes(-len(content) % 16)
    forged = out.replace(blob, _with_content(blob, clear))
    with pytest.raises(InstanceHeld) as held:
        GATE.verify(memoryview(data), replace(result, chunks=(forged,)), under)
    assert held.value.reason is Reason.IDENTIFIER_REMAINS
