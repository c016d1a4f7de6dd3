"""Identifiers of Query/Retrieve responses (PS3.4 C.4.1.1.3.2, C.4.2.1.4.2): the asked-for keys of a match, encoded.

A key that is known and has no value is there without one; what nobody asked for is not there, but for the unique keys.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from pydicom.datadict import dictionary_VR

from proxy.archive.attributes import LEVELS
from proxy.dimse.query_identifier import PATIENT_COUNTS, tag_of
from proxy.dimse.query_models import NAME_OF, UNIQUE
from proxy.wire.dicom_encode import encode
from proxy.wire.dicom_json import Json, first_value
from proxy.wire.implicit import implicit
from proxy.wire.vr import DEFLATED_LE, IMPLICIT_LE

_LEVEL, _RETRIEVE_AE, _AVAILABILITY, _FAILED = "00080052", "00080054", "00080056", "00080058"
_PATIENT_ID = "00100020"


def answer(match: Json, level: str, keys: Iterable[str], ae_title: str) -> Json:
    """One match; ``keys`` are tags, ``ae_title`` is whom to retrieve from: us."""
    above = LEVELS[: LEVELS.index(level) + 1] if level in LEVELS else ("patient",)
    unique = [tag_of(UNIQUE[name]) for name in above]
    found = {tag: match.get(tag, {"vr": dictionary_VR(int(tag, 16))}) for tag in [*keys, *unique]}
    found[_LEVEL] = {"vr": "CS", "Value": [NAME_OF[level]]}
    found[_RETRIEVE_AE] = {"vr": "AE", "Value": [ae_title]}
    if _AVAILABILITY in found:
        found[_AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    return found


def patients(studies: Iterable[Json], whole: bool) -> list[Json]:
    """The patients of ``studies``, each once; where these are the ``whole`` of them, with counts that every one has."""
    by_id: dict[str, list[Json]] = {}
    for study in studies:
        by_id.setdefault(first_value(study, _PATIENT_ID), []).append(study)
    return [studies[0] | dict(_counts(studies) if whole else ()) for studies in by_id.values()]


def _counts(studies: list[Json]) -> Iterator[tuple[str, Json]]:
    for tag, of in PATIENT_COUNTS.values():
        each = [first_value(study, of) if of else "1" for study in studies]
        if all(count.isdecimal() for count in each):
            yield tag, {"vr": "IS", "Value": [sum(map(int, each))]}


def failures(uids: Iterable[str]) -> Json:
    """Failed SOP Instance UID List."""
    return {_FAILED: {"vr": "UI", "Value": list(uids)}}


def encoded(identifier: Json, syntax: str) -> bytes:
    """The bytes in a transfer syntax of `SYNTAXES`."""
    data = b"".join(piece for piece in encode(identifier) if isinstance(piece, bytes))
    if syntax == IMPLICIT_LE:
        return b"".join(implicit(data))
    if syntax == DEFLATED_LE:
        squeezed = zlib.compress(data, wbits=-zlib.MAX_WBITS)
        return squeezed + bytes(len(squeezed) % 2)
    return data
