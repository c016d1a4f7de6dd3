"""The Query/Retrieve SOP classes (PS3.4 C.6): information models, their levels and unique keys, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from proxy.archive.attributes import UID_OF

#: (0008,0052) → level, from the top (PS3.4 C.3.4)
LEVEL_OF: Mapping[str, str] = {"PATIENT": "patient", "STUDY": "study", "SERIES": "series", "IMAGE": "instance"}
NAME_OF: Mapping[str, str] = {level: name for name, level in LEVEL_OF.items()}
#: level → its unique key
UNIQUE: Mapping[str, str] = {"patient": "PatientID", **UID_OF}


@dataclass(frozen=True, slots=True)
class Model:
    """An information model: the levels that it has, from its root."""

    levels: tuple[str, ...]

    def above(self, level: str) -> tuple[str, ...]:
        """The levels over ``level``."""
        return self.levels[: self.levels.index(level)]


PATIENT_ROOT = Model(("patient", "study", "series", "instance"))
STUDY_ROOT = Model(("study", "series", "instance"))

_ROOT = "1.2.840.10008.5.1.4.1.2."
FIND: Mapping[str, Model] = {f"{_ROOT}1.1": PATIENT_ROOT, f"{_ROOT}2.1": STUDY_ROOT}
MOVE: Mapping[str, Model] = {f"{_ROOT}1.2": PATIENT_ROOT, f"{_ROOT}2.2": STUDY_ROOT}
GET: Mapping[str, Model] = {f"{_ROOT}1.3": PATIENT_ROOT, f"{_ROOT}2.3": STUDY_ROOT}


def answered(proposed: bytes) -> bytes | None:
    """The answer to SOP class extended negotiation (PS3.4 C.5): relational yes, everything else no.

    Matching dates and times together, fuzzy matching of names, adjusting to time zones and conversion of multi-frame
    images are not done.
    """
    return bytes((proposed[0] & 1, *bytes(len(proposed) - 1))) if proposed else None
