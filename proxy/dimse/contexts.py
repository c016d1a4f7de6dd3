"""What Veil negotiates: every storage SOP class in every transfer syntax whose pixel data stands in the data set.

Tables and pure choices only. Not accepted: JPIP (the pixel data is a URL, and the URL leaks), SMPTE ST 2110 (a live
stream), the retired MIME, XML and Papyrus encodings, and private SOP classes but for those that a site names
(`PrivateClasses`): PS3.15 E.1.1 does not define their de-identification, so the engine holds what comes in them.
"""

from __future__ import annotations

from collections.abc import Iterable

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"

#: Storage SOP classes of PS3.6 2026c, retired, DICOS and DICONDE included. Written down, though pynetdicom has most of
#: them: it takes a sixteenth of a second of every start to be imported. The tests hold them against its tables.
_ROOT, _STORAGE = "1.2.840.10008.5.1.", "1.2.840.10008.5.1.4.1.1."
_USUAL = """
    1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 2.2 3 3.1 4 4.1 4.2 4.3 4.4 5 6 6.1 6.2 7 7.1 7.2 7.3 7.4 8 9 9.1.1
    9.1.2 9.1.3 9.2.1 9.3.1 9.4.1 9.4.2 9.5.1 9.6.1 10 11 11.1 11.2 11.3 11.4 11.5 12.1 12.1.1 12.2 12.2.1
    12.3 13.1.1 13.1.2 13.1.3 14.1 14.2 20 66 66.1 66.2 66.3 66.4 66.5 67 68.1 68.2 77.1 77.1.1 77.1.1.1
    77.1.2 77.1.2.1 77.1.3 77.1.4 77.1.4.1 77.1.5.1 77.1.5.2 77.1.5.3 77.1.5.4 77.1.6 77.2 78.1 78.2 78.3 78.4
    78.5 78.6 78.7 78.8 79.1 80.1 81.1 88.11 88.22 88.33 88.34 88.40 88.50 88.59 88.65 88.67 88.69 88.70 104.1
    104.2 128 128.1 129 130 131 481.1 481.2 481.3 481.4 481.5 481.6 481.7 481.8 481.9
"""
_OTHER = """
    2.3 2.4 2.5 6.3 9.1 9.1.4 9.6.2 9.7.1 9.7.2 9.7.3 9.7.4 9.8.1 9.100.1 9.100.2 11.6 11.7 11.8 11.9 11.10
    11.11 11.12 13.1.4 13.1.5 30 66.6 66.7 66.8 77.1.5.5 77.1.5.6 77.1.5.7 77.1.5.8 77.1.7 77.1.8 77.1.9 82.1
    88.1 88.2 88.3 88.4 88.35 88.68 88.71 88.72 88.73 88.74 88.75 88.76 88.77 90.1 91.1 104.3 104.4 104.5
    200.1 200.2 200.3 200.7 200.8 201.1 481.10 481.11 481.12 481.13 481.14 481.15 481.16 481.17 481.18 481.19
    481.20 481.21 481.22 481.23 481.24 481.25 501.1 501.2.1 501.2.2 501.3 501.4 501.5 501.6 601.1 601.2 601.3
    601.4 601.5
"""
#: print job and hard copy, which are no storage any more
_PRINT = tuple(f"{_ROOT}1.{tail}" for tail in ("27", "29", "30"))
_UNUSUAL_ROOTS = tuple(f"{_ROOT}4.{tail}" for tail in ("34.1", "34.10", "38.1", "39.1", "43.1", "44.1", "45.1"))
_USUAL_ELSEWHERE = f"{_ROOT}4.34.7"

STORAGE_SOP_CLASSES: frozenset[str] = frozenset(
    [*(f"{_STORAGE}{tail}" for tail in (*_USUAL.split(), *_OTHER.split())), *_UNUSUAL_ROOTS, _USUAL_ELSEWHERE]
)

#: those that instances are mostly of, where nothing says of which one is: what pynetdicom proposes
COMMON_SOP_CLASSES: tuple[str, ...] = tuple(
    sorted([*(f"{_STORAGE}{tail}" for tail in _USUAL.split()), *_PRINT, _USUAL_ELSEWHERE])
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
