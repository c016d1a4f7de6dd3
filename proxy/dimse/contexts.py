"""What Veil negotiates: every storage SOP class in every transfer syntax whose pixel data stands in the data set.

Tables and pure choices only. Not accepted: JPIP (the pixel data is a URL, and the URL leaks), SMPTE ST 2110 (a live
stream), the retired MIME, XML and Papyrus encodings, and private SOP classes but for those that a site names
(`PrivateClasses`): PS3.15 E.1.1 does not define their de-identification, so the engine holds what comes in them.
"""

from __future__ import annotations

from collections.abc import Iterable

from pynetdicom import StoragePresentationContexts, sop_class

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

#: those that instances are mostly of, where nothing says of which one is
COMMON_SOP_CLASSES: tuple[str, ...] = tuple(str(context.abstract_syntax) for context in StoragePresentationContexts)

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

#: PS3.5 Annex A. The order says nothing: the sender's order decides (`proxy.dimse.negotiating`).
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


class PrivateClasses:
    """SOP classes beyond the standard's that Storage takes: UIDs, and prefixes of UIDs that end in a dot."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._uids = frozenset(words)
        self._prefixes = tuple(word for word in self._uids if word.endswith("."))

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids or uid.startswith(self._prefixes)
