"""What a view does with each matching key of a search (DESIGN.md, invariant *No oracle*), as tables. Pure.

A key is translated, widened or sent on only so that the PACS answers less; every match is compared again, after
de-identification, with what was asked. So an original value is never matched, counted, sorted or timed. A key without
a row here is none that a view knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum

from proxy.deid.profile import Policy


class Use(StrEnum):
    """What becomes of a key."""

    #: the original by the crosswalk; unknown: nobody is asked and the answer is empty
    MAP = "map"
    #: every day that may have become the asked one; exact where the key's patient is known
    WIDEN = "widen"
    #: as it is, where it has no wildcard: what it names is nobody's
    SEND = "send"
    #: not sent; compared with what is released
    LATER = "later"
    #: never evaluated: the answer is empty, whatever the PACS holds, and says why
    REFUSE = "refuse"


#: keyword → kind of `proxy.store.crosswalk`
MAPPED: Mapping[str, str] = {
    "StudyInstanceUID": "study",
    "SeriesInstanceUID": "series",
    "SOPInstanceUID": "instance",
    "PatientID": "patient",
    "AccessionNumber": "accession",
}
_SENT = ("Modality", "ModalitiesInStudy", "SOPClassUID", "SeriesNumber", "InstanceNumber")
_LATER = (
    "StudyTime", "TimezoneOffsetFromUTC", "PatientSex", "PatientAge", "PatientSize", "PatientWeight",
    "PatientIdentityRemoved", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "SeriesDate",
    "SeriesTime", "Manufacturer", "ManufacturerModelName", "BodyPartExamined", "FrameOfReferenceUID", "Laterality",
    "Rows", "Columns", "BitsAllocated", "NumberOfFrames", "ImageType", "ContentDate", "ContentTime",
    "AcquisitionNumber", "PhotometricInterpretation",
)  # fmt: skip
_REFUSED = (
    "PatientName", "PatientBirthDate", "ReferringPhysicianName", "StudyID", "StudyDescription", "SeriesDescription",
    "ProtocolName", "RequestAttributesSequence.ScheduledProcedureStepID",
    "RequestAttributesSequence.RequestedProcedureID",
)  # fmt: skip
#: keyword → what becomes of it
KEYS: Mapping[str, Use] = {
    **dict.fromkeys(MAPPED, Use.MAP),
    "StudyDate": Use.WIDEN,
    **dict.fromkeys(_SENT, Use.SEND),
    **dict.fromkeys(_LATER, Use.LATER),
    **dict.fromkeys(_REFUSED, Use.REFUSE),
}
_DAY = re.compile(r"[0-9]{8}")
#: a time of day that moves over midnight takes its date along
_SLACK = 1
_TRUNCATED = frozenset({"year", "month"})


def use_of(keyword: str, value: str) -> Use | None:
    """What becomes of ``keyword`` asked for as ``value``; None for one that no view knows."""
    use = KEYS.get(keyword)
    if use is Use.MAP and _wild(bare(value)):
        return Use.REFUSE
    return Use.LATER if use is Use.SEND and _wild(value) else use


def bare(value: str) -> str:
    """A pseudonym out of ``*pseudonym*``, as viewers write it: a whole pseudonym holds no other one."""
    return value[1:-1] if len(value) > 2 and value[0] == value[-1] == "*" else value


def _wild(value: str) -> bool:
    return "*" in value or "?" in value


def window(policy: Policy, asked: str, offset: int | None) -> str:
    """The range of original dates whose released date can match ``asked`` (DA, single or range), "" for any.

    ``offset``: the patient's whole days where the patient is known.
    """
    low, dash, high = asked.partition("-")
    bounds = (low, high if dash else low)
    if not all(not bound or _DAY.fullmatch(bound) for bound in bounds):
        return ""
    slack = _SLACK + (366 if _truncates(policy) else 0)
    most = policy.date_shift_days if policy.moves else 0
    least = 0
    if offset is not None and policy.moves:
        least = most = -offset
    first, last = _moved(bounds[0], least - slack), _moved(bounds[1], most + slack)
    return f"{first}-{last}" if first or last else ""


def _truncates(policy: Policy) -> bool:
    dates = policy.dates
    return dates is not None and bool(_TRUNCATED & {dates.dates, *dates.attributes.values()})


def _moved(day: str, days: int) -> str:
    """A day so many days later, or "" (no bound) where that is no date."""
    if not day:
        return ""
    try:
        moved = date(int(day[:4]), int(day[4:6]), int(day[6:])) + timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved:%Y%m%d}".rjust(8, "0")
