"""A hundred places for the identifiers of a patient, each planted alone in a real file.

Nothing here knows how the product works: files are changed with pydicom, or byte by byte.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.deid.canary_files import (
    ACCESSION,
    FAMILY,
    GIVEN,
    NUMBER,
    PLAIN,
    ROOT,
    SAID,
    TOKEN,
    base,
    code,
    encoded,
    item,
    items,
)


@dataclass(frozen=True)
class Place:
    """Where identifiers are planted. ``secrets``: besides the patient's names and numbers.

    ``stays``: options under which the profile lets words of this place stay that nobody knows (`TOKEN`); "" is every
    policy. ``retained``: options whose K lets the secrets stay. ``raw`` changes the encoded file. ``fits`` says which
    files have such a place.
    """

    name: str
    plant: Callable[[Dataset], None]
    raw: Callable[[bytes], bytes] | None = None
    fits: Callable[[Dataset], bool] = field(default=lambda ds: True)
    stays: frozenset[str] = frozenset()
    secrets: tuple[str, ...] = ()
    retained: frozenset[str] = frozenset()


@cache
def planted(place: Place, name: str) -> bytes:
    """The encoded file ``name`` with identifiers at ``place``."""
    ds = base(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place.plant(ds)
    part10 = encoded(ds)
    return place.raw(part10) if place.raw is not None else part10


def _set(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds, keyword, value)


def _add(tag: int, vr: str, value: object) -> Callable[[Dataset], None]:
    return lambda ds: ds.add(DataElement(tag, vr, value))


def _nothing(ds: Dataset) -> None:
    pass


def _meta(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds.file_meta, keyword, value)


def _private(
    vr: str, value: object, creator: str = "ZQX GmbH", group: int = 0x0011, element: int = 1
) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        block = ds.private_block(group, creator, create=True)
        if element in block:
            del block[element]
        block.add_new(element, vr, value)

    return change


def _private_nested(ds: Dataset) -> None:
    inside = item(ScheduledProcedureStepID="1")
    _private("LO", SAID)(inside)
    ds.RequestAttributesSequence = Sequence([inside])


def _syntax(uid: UID) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        ds.file_meta.TransferSyntaxUID = uid
        ds.private_block(0x0011, f"{FAMILY} GmbH", create=True).add_new(1, "LO", SAID)
        ds.PatientComments = SAID

    return change


def _in_script(charset: str | list[str], name: str, words: str) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        ds.SpecificCharacterSet = charset
        ds.PatientName = f"{FAMILY}^{GIVEN}={name}"
        ds.PatientComments = ds.StudyDescription = f"CT {words} {NUMBER}"
        ds.RequestAttributesSequence = Sequence(
            [item(ScheduledProcedureStepDescription=words, RequestedProcedureID="1")]
        )

    return change


def _script(charset: str | list[str], name: str) -> Place:
    """The name in another script, in free text beside a word."""
    words = name.replace("^", " ")
    label = charset if isinstance(charset, str) else "+".join(charset)
    return Place(f"text in {label}", _in_script(charset, name, words), secrets=tuple(words.split()))


# ---- content, pixels


def _content(**attributes: object) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        inside = item(RelationshipType="CONTAINS", ConceptNameCodeSequence=code("Finding"), **attributes)
        ds.ContentSequence = Sequence([*ds.get("ContentSequence", []), inside])

    return change


def _deep_content(ds: Dataset) -> None:
    leaf = item(
        RelationshipType="HAS PROPERTIES", ValueType="TEXT", ConceptNameCodeSequence=code("Comment"), TextValue=SAID
    )
    for _ in range(5):
        leaf = item(RelationshipType="CONTAINS", ValueType="CONTAINER", ContinuityOfContent="SEPARATE",
                    ConceptNameCodeSequence=code("Findings"), ContentSequence=Sequence([leaf]))  # fmt: skip
    ds.ContentSequence = Sequence([*ds.get("ContentSequence", []), leaf])


def _is_report(ds: Dataset) -> bool:
    return ".88." in ds.SOPClassUID


def _is_native(ds: Dataset) -> bool:
    return "PixelData" in ds and not ds.file_meta.TransferSyntaxUID.is_compressed


def _is_explicit(ds: Dataset) -> bool:
    return ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def _is_unpadded(ds: Dataset) -> bool:
    return _is_explicit(ds) and 0xFFFCFFFC not in ds


def _is_jpeg(ds: Dataset) -> bool:
    return "JPEG" in ds.file_meta.TransferSyntaxUID.name and "2000" not in ds.file_meta.TransferSyntaxUID.name


def _is_rle(ds: Dataset) -> bool:
    return "RLE" in ds.file_meta.TransferSyntaxUID.name


def _is_j2k(ds: Dataset) -> bool:
    return "2000" in ds.file_meta.TransferSyntaxUID.name


def _first_frame(change: Callable[[bytes], bytes]) -> Callable[[Dataset], None]:
    def apply(ds: Dataset) -> None:
        number = int(ds.get("NumberOfFrames", 1) or 1)
        frames = list(generate_frames(ds.PixelData, number_of_frames=number))
        frames[0] = change(frames[0])
        ds.PixelData = encapsulate(frames)
        ds["PixelData"].is_undefined_length = True

    return apply


def _marker(number: int, content: bytes = PLAIN) -> Callable[[Dataset], None]:
    segment = bytes((0xFF, number)) + struct.pack(">H", 2 + len(content)) + content
    return _first_frame(lambda frame: frame[:2] + segment + frame[2:])


def _j2k_comment(frame: bytes) -> bytes:
    """COM in front of the first tile part (ISO/IEC 15444-1 A.9.2)."""
    at = frame.index(b"\xff\x90")
    return frame[:at] + b"\xff\x64" + struct.pack(">HH", 4 + len(PLAIN), 1) + PLAIN + frame[at:]


def _behind_pixels(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData + PLAIN


def _over_pixels(ds: Dataset) -> None:
    ds.PixelData = PLAIN + ds.PixelData[len(PLAIN) :]


def _overlay(ds: Dataset) -> None:
    block = {0x0010: ("US", 8), 0x0011: ("US", 8 * len(PLAIN)), 0x0040: ("CS", "G"), 0x0050: ("SS", [1, 1]),
             0x0100: ("US", 1), 0x0102: ("US", 0), 0x0022: ("LO", SAID), 0x1500: ("LO", TOKEN),
             0x3000: ("OW", PLAIN)}  # fmt: skip
    for element, (vr, value) in block.items():
        ds.add(DataElement(0x60020000 | element, vr, value))


def _curve(ds: Dataset) -> None:
    ds.add(DataElement(0x50000005, "US", 1))
    ds.add(DataElement(0x50002500, "LO", SAID))
    ds.add(DataElement(0x50003000, "OB", PLAIN))


def _icon(ds: Dataset) -> None:
    icon = item(SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", Rows=1, Columns=len(PLAIN), BitsAllocated=8,
                BitsStored=8, HighBit=7, PixelRepresentation=0)  # fmt: skip
    icon.add_new(0x7FE00010, "OB", PLAIN)
    ds.IconImageSequence = Sequence([icon])


def _signatures(ds: Dataset) -> None:
    signer = item(MACIDNumber=1, DigitalSignatureUID=f"{ROOT}71", CertificateType="X509_1993_SIG",
                  CertificateOfSigner=PLAIN, Signature=b"1234")  # fmt: skip
    ds.DigitalSignaturesSequence = Sequence([signer])
    ds.MACParametersSequence = Sequence([item(MACIDNumber=1, MACAlgorithm="SHA256")])


def _original_attributes(ds: Dataset) -> None:
    before = item(PatientName=f"{FAMILY}^{GIVEN}", PatientID=NUMBER, InstitutionName=SAID)
    ds.OriginalAttributesSequence = items(
        ModifiedAttributesSequence=Sequence([before]), ModifyingSystem=SAID, ReasonForTheAttributeModification="COERCE"
    )


def _graphics(ds: Dataset) -> None:
    text = item(UnformattedTextValue=SAID, AnchorPoint=[1.0, 1.0], AnchorPointVisibility="N",
                AnchorPointAnnotationUnits="PIXEL")  # fmt: skip
    ds.GraphicAnnotationSequence = Sequence([item(GraphicLayer="L1", TextObjectSequence=Sequence([text]))])
    ds.GraphicLayerSequence = Sequence([item(GraphicLayer="L1", GraphicLayerOrder=1)])


def _nested(ds: Dataset) -> None:
    inner = item(PatientName=f"{FAMILY}^{GIVEN}", PatientID=NUMBER, PatientComments=SAID)
    for _ in range(6):
        inner = item(ReferencedStudySequence=Sequence([inner]))
    ds.ReferencedStudySequence = inner.ReferencedStudySequence


def _undefined_unknown(part10: bytes) -> bytes:
    """A private UN of undefined length: items in implicit VR (PS3.5 6.2.2), behind the last element of explicit VR."""
    name = PLAIN
    inside = struct.pack("<HHI", 0x0010, 0x0010, len(name)) + name
    body = struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    creator = struct.pack("<HH2sH", 0x7FE3, 0x0010, b"LO", 8) + b"ZQX GmbH"
    return part10 + creator + struct.pack("<HH2sHI", 0x7FE3, 0x1001, b"UN", 0, 0xFFFFFFFF) + body


def _padding(part10: bytes) -> bytes:
    value = PLAIN
    return part10 + struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, len(value)) + value


def _group_length(part10: bytes) -> bytes:
    """(0008,0000), which no library writes, as a text."""
    value = PLAIN
    meta = 144 + struct.unpack("<I", part10[140:144])[0]
    return part10[:meta] + struct.pack("<HH2sH", 0x0008, 0, b"LO", len(value)) + value + part10[meta:]


def _preamble(ds: Dataset) -> None:
    ds.preamble = PLAIN.ljust(128, b"\0")


def _private_meta(ds: Dataset) -> None:
    ds.file_meta.PrivateInformationCreatorUID = UID(f"{ROOT}5")
    ds.file_meta.PrivateInformation = PLAIN


_PRIVATE_SQ = Sequence([item(PatientName=f"{FAMILY}^{GIVEN}", PatientComments=SAID)])
_KEPT = frozenset({""})
_FULL = frozenset({"rtn_long_full"})

PLACES = (
    # attributes of many VRs
    Place("PN that the table names", _set("OtherPatientNames", f"{FAMILY}^{GIVEN}")),
    Place("PN that no row names", _add(0x0072006A, "PN", f"{FAMILY}^{GIVEN}")),
    Place(
        "PN with five components in three groups",
        _set("PerformingPhysicianName", f"{FAMILY}^{GIVEN}^M^Dr^={FAMILY}={GIVEN}"),
    ),
    Place("LO, an address", _set("PatientAddress", SAID)),
    Place("LO, Study Description", _set("StudyDescription", SAID)),
    Place("LO, many values", _set("AdmittingDiagnosesDescription", ["Pneumonia", SAID, "Fracture"])),
    Place("LO, a label that is kept", _set("WindowCenterWidthExplanation", f"for {FAMILY} {GIVEN}"), stays=_KEPT),
    Place("LO, the second label", _set("WindowCenterWidthExplanation", ["lung", f"{GIVEN} {FAMILY}"]), stays=_KEPT),
    Place("LO, kept, upper case", _set("WindowCenterWidthExplanation", FAMILY.upper()), stays=_KEPT),
    Place("LO, kept, number only", _set("WindowCenterWidthExplanation", f"see {NUMBER}"), stays=_KEPT),
    Place("LO, kept, number in lower case", _set("FilterType", NUMBER.lower()), stays=_KEPT),
    Place("LT", _set("PatientComments", SAID)),
    Place("LT of ten thousand characters", _set("AdditionalPatientHistory", "nodule " * 1400 + SAID)),
    Place("LT, born on", _set("PatientComments", f"{FAMILY}, geb. 13.09.1947"), secrets=("13.09.1947",)),
    Place(
        "LT, telephone and mail", _set("PatientComments", f"+49 30 901820 {FAMILY}@example.org"), secrets=("901820",)
    ),
    Place("ST", _set("InstitutionAddress", SAID)),
    Place("UT", _set("TextComments", SAID)),
    Place("UC", _add(0x00080119, "UC", f"{FAMILY} {NUMBER}"), stays=_KEPT),
    Place("UR", _set("RetrieveURL", f"https://pacs.example/{NUMBER}/{TOKEN}")),
    Place("SH", _set("StationName", f"{FAMILY[:8]}7")),
    Place("AE", _set("ScheduledStationAETitle", f"{FAMILY.upper()}1")),
    Place("CS, Image Type", _set("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL", FAMILY.upper()]), stays=_KEPT),
    Place("CS, kept", _set("BodyPartExamined", FAMILY.upper()), stays=_KEPT),
    Place("DA", _set("PatientBirthDate", "19470913"), secrets=("19470913",)),
    Place("DT", _add(0x0040A120, "DT", "19470913101112"), secrets=("19470913",), retained=_FULL),
    Place(
        "DA in an item", _set("RequestAttributesSequence", items(PatientBirthDate="19470913")), secrets=("19470913",)
    ),
    Place("IS, an accession number", _set("InterpretationID", f"{ACCESSION}")),
    Place(
        "UI of a device", _set("DeviceUID", f"{ROOT}6"), secrets=(ROOT,), retained=frozenset({"rtn_uids", "rtn_dev_id"})
    ),
    Place(
        "UI in an item", _set("ReferencedImageSequence", items(ReferencedSOPInstanceUID=f"{ROOT}1")), secrets=(ROOT,)
    ),
    Place("UIDs inside text", _set("PatientComments", f"see series {ROOT}9 of {FAMILY}"), secrets=(ROOT,)),
    Place("OB, an ICC profile", _set("ICCProfile", bytes(128) + PLAIN), stays=_KEPT),
    Place("OW, a palette", _add(0x00281201, "OW", PLAIN), stays=_KEPT),
    Place("OF", _add(0x00660016, "OF", PLAIN.ljust(40, b"\0")), stays=_KEPT),
    Place("UN of an unknown tag", _add(0x00289998, "UN", PLAIN)),
    Place("UN of a known tag", _add(0x00104000, "UN", PLAIN)),
    Place("a tag that PS3.6 does not have", _add(0x00089999, "LO", SAID)),
    Place("an unknown sequence", _add(0x00289997, "SQ", _PRIVATE_SQ)),
    Place("behind a NUL in a code string", _add(0x00200060, "CS", f"L\0{FAMILY.upper()}")),
    Place("behind a NUL in a UID", _add(0x00081155, "UI", f"{ROOT}3\0{FAMILY}"), secrets=(ROOT,)),
    Place("blanks inside the number", _set("PatientComments", f"ID ZQX 4711 008 {FAMILY}")),
    # nested, codes, references
    Place("six sequences deep", _nested),
    Place("a requested procedure", _set("RequestAttributesSequence", items(RequestedProcedureDescription=SAID))),
    Place("other patient IDs", _set("OtherPatientIDsSequence", items(PatientID=NUMBER, IssuerOfPatientID=TOKEN))),
    Place("the meaning of a code", _set("AnatomicRegionSequence", code(f"{FAMILY} {GIVEN}")), stays=_KEPT),
    Place(
        "a referenced patient",
        _set("ReferencedPatientSequence", items(ReferencedSOPInstanceUID=f"{ROOT}2")),
        secrets=(ROOT,),
    ),
    Place(
        "an acquisition context",
        _set(
            "AcquisitionContextSequence", items(ValueType="TEXT", ConceptNameCodeSequence=code("Site"), TextValue=SAID)
        ),
    ),
    Place(
        "a specimen",
        _set("SpecimenDescriptionSequence", items(SpecimenIdentifier=NUMBER, SpecimenShortDescription=SAID)),
    ),
    Place(
        "an issuer of an accession number", _set("IssuerOfAccessionNumberSequence", items(LocalNamespaceEntityID=TOKEN))
    ),
    Place("original attributes", _original_attributes),
    Place("digital signatures", _signatures, secrets=(ROOT,)),
    Place(
        "encrypted attributes",
        _set(
            "EncryptedAttributesSequence",
            items(EncryptedContentTransferSyntaxUID="1.2.840.10008.1.2", EncryptedContent=PLAIN),
        ),
    ),
    # private
    Place("private, explicit VR", _private("LO", SAID)),
    Place("private, many values", _private("LO", ["a", SAID])),
    Place("private, binary", _private("OB", PLAIN)),
    Place("private, UN", _private("UN", PLAIN)),
    Place("private sequence", _private("SQ", _PRIVATE_SQ)),
    Place("private UN of undefined length", _nothing, _undefined_unknown, _is_explicit),
    Place("private creator", _private("LO", "x", f"{FAMILY} {TOKEN}")),
    Place("private without a creator", _add(0x00291001, "LO", SAID)),
    Place("private, behind the pixels", _private("LO", SAID, group=0x7FE1)),
    Place("private of a known creator", _private("LO", SAID, "SIEMENS MED NM", 0x0009)),
    Place("private text that the list calls safe", _private("LO", SAID, "GEMS_ACQU_01", 0x0019, 0x9E)),
    Place("private, safe, of another block", _private("ST", SAID, "Philips Imaging DD 001", 0x2001, 0x5D)),
    Place("private in an item", _private_nested),
    Place("private in implicit VR", _syntax(ImplicitVRLittleEndian), fits=_is_native),
    Place("private in a deflated data set", _syntax(DeflatedExplicitVRLittleEndian), fits=_is_native),
    Place("an odd group below 8", _add(0x00050010, "LO", SAID)),
    # the file around the data set
    Place("preamble", _preamble),
    Place("file meta: application entity", _meta("SourceApplicationEntityTitle", FAMILY.upper())),
    Place("file meta: implementation", _meta("ImplementationVersionName", FAMILY.upper())),
    Place("file meta: private information", _private_meta, secrets=(ROOT,)),
    Place("group length", _nothing, _group_length, _is_explicit),
    Place("data set trailing padding", _nothing, _padding, _is_unpadded),
    # reports and graphics
    Place("SR: TEXT", _content(ValueType="TEXT", TextValue=SAID), fits=_is_report),
    Place("SR: PNAME", _content(ValueType="PNAME", PersonName=f"{FAMILY}^{GIVEN}"), fits=_is_report),
    Place("SR: UIDREF", _content(ValueType="UIDREF", UID=f"{ROOT}4"), fits=_is_report, secrets=(ROOT,)),
    Place("SR: CODE", _content(ValueType="CODE", ConceptCodeSequence=code(SAID)), fits=_is_report),
    Place(
        "SR: DATE", _content(ValueType="DATE", Date="19470913"), fits=_is_report, secrets=("19470913",), retained=_FULL
    ),
    Place("SR: five containers deep", _deep_content, fits=_is_report),
    Place(
        "SR: verifying observer",
        _set(
            "VerifyingObserverSequence",
            items(
                VerifyingObserverName=f"{FAMILY}^{GIVEN}", VerifyingOrganization=SAID, VerificationDateTime="20200101"
            ),
        ),
        fits=_is_report,
    ),
    Place("graphic annotation", _graphics),
    Place(
        "graphic layer",
        _set("GraphicLayerSequence", items(GraphicLayer="L1", GraphicLayerDescription=SAID)),
        stays=_KEPT,
    ),
    Place("overlay", _overlay),
    Place("curve", _curve),
    Place("icon", _icon),
    Place("image comments", _set("ImageComments", SAID)),
    # pixels
    Place("pixel data", _over_pixels, fits=_is_native, stays=_KEPT),
    Place("behind the last pixel", _behind_pixels, fits=_is_native, stays=_KEPT),
    Place("JPEG comment", _marker(0xFE), fits=_is_jpeg, stays=_KEPT),
    Place("JPEG application segment", _marker(0xE1, b"Exif\0\0" + PLAIN), fits=_is_jpeg, stays=_KEPT),
    Place("JPEG 2000 comment", _first_frame(_j2k_comment), fits=_is_j2k, stays=_KEPT),
    Place("behind an RLE segment", _first_frame(lambda f: f + PLAIN), fits=_is_rle, stays=_KEPT),
    # scripts and character sets
    _script("ISO_IR 100", "Müllerzqx^Jürgen"),
    _script("ISO_IR 101", "Dvořákzqx^Jiří"),
    _script("ISO_IR 144", "Зквогель^Зквильма"),
    _script("ISO_IR 126", "Ζκβόγελ^Βίλμα"),
    _script("ISO_IR 127", "زكفوغل^زكفيلما"),
    _script("ISO_IR 138", "זקבוגל^זקווילמה"),
    _script("ISO_IR 166", "สมชาย^ใจดีมาก"),
    _script(["", "ISO 2022 IR 87"], "曖昧^模糊"),
    _script(["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞﾀﾛｳ^ﾊﾅｺｻﾝ"),
    _script(["", "ISO 2022 IR 149"], "김희중^박진우"),
    _script(["", "ISO 2022 IR 58"], "张小东^李四光"),
    _script("GB18030", "張曉東^歐陽鋒"),
    _script("GBK", "王小明^诸葛亮"),
    _script("ISO_IR 192", "Žofieqž^曖昧模糊"),
)
