"""Which attributes a search answers with and matches on (PS3.18 10.6.1.2 and 10.6.3.3). A table and its readers.

``default`` attributes are in every answer at their level, empty where the standard asks for that; the others come with
`includefield`. Everything in this table can be matched. Values are the de-identified ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

LEVELS = ("study", "series", "instance")
#: How a level's own UID is called.
UID_OF = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}
REQUEST = "RequestAttributesSequence"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row of the table. ``required``: answered without a value where the instance has none (type 2)."""

    keyword: str
    tag: str
    vr: str
    default: bool = True
    required: bool = False


def _required(keyword: str, tag: str, vr: str) -> Attribute:
    return Attribute(keyword, tag, vr, required=True)


def _extra(keyword: str, tag: str, vr: str) -> Attribute:
    return Attribute(keyword, tag, vr, default=False)


ATTRIBUTES: dict[str, tuple[Attribute, ...]] = {
    "study": (
        _required("StudyDate", "00080020", "DA"),
        _required("StudyTime", "00080030", "TM"),
        _required("AccessionNumber", "00080050", "SH"),
        _required("ReferringPhysicianName", "00080090", "PN"),
        Attribute("TimezoneOffsetFromUTC", "00080201", "SH"),
        _required("PatientName", "00100010", "PN"),
        _required("PatientID", "00100020", "LO"),
        _required("PatientBirthDate", "00100030", "DA"),
        _required("PatientSex", "00100040", "CS"),
        _required("StudyInstanceUID", "0020000D", "UI"),
        _required("StudyID", "00200010", "SH"),
        _extra("StudyDescription", "00081030", "LO"),
        _extra("PatientAge", "00101010", "AS"),
        _extra("PatientSize", "00101020", "DS"),
        _extra("PatientWeight", "00101030", "DS"),
        _extra("PatientIdentityRemoved", "00120062", "CS"),
    ),
    "series": (
        _required("Modality", "00080060", "CS"),
        Attribute("SeriesDescription", "0008103E", "LO"),
        _required("SeriesInstanceUID", "0020000E", "UI"),
        _required("SeriesNumber", "00200011", "IS"),
        Attribute("PerformedProcedureStepStartDate", "00400244", "DA"),
        Attribute("PerformedProcedureStepStartTime", "00400245", "TM"),
        Attribute(REQUEST, "00400275", "SQ"),
        _extra("SeriesDate", "00080021", "DA"),
        _extra("SeriesTime", "00080031", "TM"),
        _extra("Manufacturer", "00080070", "LO"),
        _extra("ManufacturerModelName", "00081090", "LO"),
        _extra("BodyPartExamined", "00180015", "CS"),
        _extra("ProtocolName", "00181030", "LO"),
        _extra("FrameOfReferenceUID", "00200052", "UI"),
        _extra("Laterality", "00200060", "CS"),
    ),
    "instance": (
        _required("SOPClassUID", "00080016", "UI"),
        _required("SOPInstanceUID", "00080018", "UI"),
        _required("InstanceNumber", "00200013", "IS"),
        Attribute("Rows", "00280010", "US"),
        Attribute("Columns", "00280011", "US"),
        Attribute("BitsAllocated", "00280100", "US"),
        Attribute("NumberOfFrames", "00280008", "IS"),
        _extra("ImageType", "00080008", "CS"),
        _extra("ContentDate", "00080023", "DA"),
        _extra("ContentTime", "00080033", "TM"),
        _extra("AcquisitionNumber", "00200012", "IS"),
        _extra("PhotometricInterpretation", "00280004", "CS"),
    ),
}
#: Attributes that the index works out: keyword → (level, tag, VR).
COMPUTED = {
    "InstanceAvailability": ("study", "00080056", "CS"),
    "ModalitiesInStudy": ("study", "00080061", "CS"),
    "NumberOfStudyRelatedSeries": ("study", "00201206", "IS"),
    "NumberOfStudyRelatedInstances": ("study", "00201208", "IS"),
    "NumberOfSeriesRelatedInstances": ("series", "00201209", "IS"),
    "AvailableTransferSyntaxUID": ("instance", "00083002", "UI"),
}
#: Keys inside the request attributes sequence that are matched (PS3.18 table 10.6.1-5).
NESTED = {f"{REQUEST}.ScheduledProcedureStepID": "00400009", f"{REQUEST}.RequestedProcedureID": "00401001"}
#: keyword → (level, VR) of everything that can be matched.
MATCHABLE: dict[str, tuple[str, str]] = (
    {a.keyword: (level, a.vr) for level, rows in ATTRIBUTES.items() for a in rows if a.vr != "SQ"}
    | dict.fromkeys(NESTED, ("series", "SH"))
    | {"ModalitiesInStudy": ("study", "CS")}
)
#: keyword → tag of everything in the tables but what is nested.
CODES = {a.keyword: a.tag for rows in ATTRIBUTES.values() for a in rows} | {
    k: tag for k, (_, tag, _) in COMPUTED.items()
}
#: Everything an index row keeps, by level.
KEPT = {level: frozenset(a.tag for a in rows) for level, rows in ATTRIBUTES.items()}


def matchable(level: str) -> frozenset[str]:
    """Keywords that a search at ``level`` can match: its own and those of the levels above."""
    above = LEVELS[: LEVELS.index(level) + 1]
    return frozenset(keyword for keyword, (where, _) in MATCHABLE.items() if where in above)


def shown(level: str, fields: Collection[str]) -> Iterator[tuple[str, Attribute]]:
    """What an answer at ``level`` has, each with the level that owns it: its own, the UIDs above, `includefield`."""
    for owner in LEVELS[: LEVELS.index(level) + 1]:
        for attribute in ATTRIBUTES[owner]:
            by_default = (attribute.default and owner == level) or attribute.keyword == UID_OF[owner]
            if by_default or "all" in fields or attribute.keyword in fields:
                yield owner, attribute


def above(level: str, within: Collection[str]) -> list[str]:
    """A relational search also answers with the attributes of the levels that the path does not name (10.6.3.3)."""
    names = [name for name in LEVELS[: LEVELS.index(level)] if name not in within]
    return [a.keyword for name in names for a in ATTRIBUTES[name] if a.default]
