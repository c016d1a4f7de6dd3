"""What Veil negotiates: every storage SOP class in every transfer syntax whose pixel data stands in the data set.

Tables and pure choices only. Not accepted: JPIP (the pixel data is a URL, and the URL leaks), SMPTE ST 2110 (a live
stream), the retired MIME, XML and Papyrus encodings, private SOP classes (PS3.15 E.1.1 does not define their
de-identification).
"""

from __future__ import annotations

from collections.abc import Iterable

from pynetdicom import build_context, register_uid, sop_class
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"

_STORAGE = "1.2.840.10008.5.1.4.1.1."

#: Storage SOP classes of PS3.6 2026c that pynetdicom does not know: new, retired, DICOS and DICONDE.
UNKNOWN_TO_PYNETDICOM = (
    *(f"{_STORAGE}{tail}" for tail in ("2.3", "2.4", "2.5", "3", "5", "6", "8", "9", "9.1", "10", "11", "12.3")),
    *(f"{_STORAGE}{tail}" for tail in ("77.1", "77.2", "88.1", "88.2", "88.3", "88.4", "129")),
    *(f"{_STORAGE}501.{tail}" for tail in ("1", "2.1", "2.2", "3", "4", "5", "6")),
    *(f"{_STORAGE}601.{tail}" for tail in ("1", "2", "3", "4", "5")),
    "1.2.840.10008.5.1.4.34.1",
)

STORAGE_SOP_CLASSES: frozenset[str] = frozenset(
    [
        *map(str, sop_class._STORAGE_CLASSES.values()),
        *map(str, sop_class._NON_PATIENT_OBJECT_CLASSES.values()),
        *UNKNOWN_TO_PYNETDICOM,
    ]
)

_SYNTAX = "1.2.840.10008.1.2"
_JPEG = (*range(50, 67), 70, 80, 81, 90, 91, 92, 93)  # 52-56 and 58-66 are retired; archives still hold them
_VIDEO = (
    "100",
    "100.1",
    "101",
    "101.1",
    "102",
    "102.1",
    "103",
    "103.1",
    "104",
    "104.1",
    "105",
    "105.1",
    "106",
    "106.1",
)

#: PS3.5 Annex A. The order says nothing: the sender's order decides (`negotiable`).
TRANSFER_SYNTAXES: tuple[str, ...] = (
    IMPLICIT_VR_LITTLE_ENDIAN,
    f"{_SYNTAX}.1",  # explicit VR little endian
    f"{_SYNTAX}.1.98",  # encapsulated uncompressed
    f"{_SYNTAX}.1.99",  # deflated
    f"{_SYNTAX}.2",  # explicit VR big endian, retired
    *(f"{_SYNTAX}.4.{n}" for n in _JPEG),
    *(f"{_SYNTAX}.4.{n}" for n in _VIDEO),
    *(f"{_SYNTAX}.4.{n}" for n in (107, 108)),  # HEVC
    *(f"{_SYNTAX}.4.{n}" for n in (110, 111, 112)),  # JPEG XL
    *(f"{_SYNTAX}.4.{n}" for n in (201, 202, 203)),  # HTJ2K
    f"{_SYNTAX}.5",  # RLE
    f"{_SYNTAX}.8.1",  # deflated image frame
)
ANY_SYNTAX = frozenset(TRANSFER_SYNTAXES)
_UNCOMPRESSED = (IMPLICIT_VR_LITTLE_ENDIAN, f"{_SYNTAX}.1", f"{_SYNTAX}.2")


def register() -> None:
    """Tell pynetdicom which SOP classes beyond its own are storage; safe to repeat."""
    for uid in UNKNOWN_TO_PYNETDICOM:
        register_uid(uid, f"Storage_{uid.replace('.', '_')}", StorageServiceClass)


def negotiable(proposed: Iterable[PresentationContext]) -> list[PresentationContext]:
    """What to support on this association (PS3.8 7.1.1.13): only what is proposed, in the sender's order of preference.

    A sender lists the syntax it holds the instance in first, so its order spares it a transcoding.
    """
    wanted: dict[str, list[str]] = {}
    for context in proposed:
        abstract = str(context.abstract_syntax)
        known = _UNCOMPRESSED if abstract == VERIFICATION else TRANSFER_SYNTAXES
        if abstract == VERIFICATION or abstract in STORAGE_SOP_CLASSES:
            order = wanted.setdefault(abstract, [])
            order += [s for s in map(str, context.transfer_syntax) if s in known and s not in order]
    # A class that we know in no syntax that we know is answered 4 (syntaxes not supported), not 3: it must be listed.
    return [build_context(uid, order or [IMPLICIT_VR_LITTLE_ENDIAN]) for uid, order in wanted.items()]
