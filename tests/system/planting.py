"""Instances that carry planted identifiers, and the byte-wise search for those in files.

`Mint` makes many distinct instances fast: one encoded template per kind, in which a number of nine digits is replaced.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import io
import itertools
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, SurfaceScanMeshStorage

#: every planted value holds one of these
MARKERS = ("Zqxplant", "ZQXIDENT1", "1.2.826.0.1.3680043.10.1511.", "曖昧模糊", "born 1947")
_ROOT = MARKERS[2]
_NUMBER = "987654321"
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "iso2022_jp", "shift_jis", "euc_jp")


@dataclass(frozen=True, slots=True)
class Planted:
    """One encoded instance and what it says of itself."""

    part10: bytes
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    kind: str


@cache
def _template(kind: str) -> tuple[bytes, str, str]:
    ds = dcmread(str(get_testdata_file("CT_small.dcm")))
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = f"Zqxplant^N{_NUMBER}=曖昧模糊"
    ds.PatientID = f"ZQXIDENT{_NUMBER}"
    ds.PatientBirthDate = "19470913"
    ds.OtherPatientNames = f"Zqxplant^Other{_NUMBER}"
    ds.ReferringPhysicianName = "Zqxplant^Referrer"
    ds.InstitutionName = "Zqxplant Hospital"
    ds.AccessionNumber = "ZQXIDENT1"
    ds.StudyDescription = f"CT of Zqxplant {_NUMBER}"
    ds.PatientComments = "born 1947, see ZQXIDENT1"
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = f"ZQXIDENT{_NUMBER}-2", "Zqxplant Issuer"
    ds.OtherPatientIDsSequence = Sequence([other])
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = ds.SOPClassUID, f"{_ROOT}7.{_NUMBER}"
    ds.ReferencedImageSequence = Sequence([source])
    ds.private_block(0x0011, "Zqxplant GmbH", create=True).add_new(1, "LO", f"ZQXIDENT{_NUMBER}")
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{_ROOT}1.{_NUMBER}", f"{_ROOT}2.{_NUMBER}"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"{_ROOT}3.{_NUMBER}")
    ds.FrameOfReferenceUID = f"{_ROOT}4.{_NUMBER}"
    if kind == "held":  # what shows a skin or a face, and no reader of text can say anything about
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SurfaceScanMeshStorage
    buffer = io.BytesIO()
    dcmwrite(buffer, ds)
    return buffer.getvalue(), str(ds.SOPClassUID), str(ds.file_meta.TransferSyntaxUID)


def planted(number: int, kind: str = "plain") -> Planted:
    """Instance ``number``; ``kind`` is ``plain`` or ``held`` (released, or held by the default configuration)."""
    part10, sop_class, syntax = _template(kind)
    digits = str(100_000_000 + number)
    return Planted(part10.replace(_NUMBER.encode(), digits.encode()), sop_class, f"{_ROOT}3.{digits}", syntax, kind)


_NUMBERS = itertools.count(5_000_000)


def fresh(kind: str = "plain") -> Planted:
    """An instance that nobody has seen yet."""
    return planted(next(_NUMBERS), kind)


def _base64_runs(raw: bytes) -> Iterator[bytes]:
    """What stands in base64 of any text that holds ``raw``, for the three ways it can lie."""
    for shift in range(3):  # bytes before it; characters that also depend on what stands around are left out
        first, last = -(-8 * shift // 6), 8 * (shift + len(raw)) // 6
        yield base64.b64encode(b"\0" * shift + raw)[first:last]


@lru_cache(maxsize=4096)
def forms(secret: str) -> frozenset[bytes]:
    """The bytes, in lower case, by which ``secret`` could stand in a file: character sets, hex, base64, escapes."""
    raws: set[bytes] = set()
    for encoding in _ENCODINGS:
        with contextlib.suppress(UnicodeEncodeError):
            raws.add(codecs.encode(secret, encoding))
    utf8 = secret.encode()
    coded = {utf8.hex().encode(), urllib.parse.quote(secret).encode(), secret.encode("unicode_escape")}
    coded |= {run for run in _base64_runs(utf8) if len(run) >= 8}
    return frozenset(form.lower() for form in raws | coded)


def files_below(place: Path) -> list[Path]:
    """Regular files at or below ``place``."""
    if place.is_file():
        return [place]
    return [path for path in place.rglob("*") if path.is_file() and not path.is_symlink()]


def found_in(place: Path, secrets: Iterable[str]) -> list[str]:
    """``path: secret`` for each file at or below ``place`` whose name or content holds a form of a secret."""
    sought = {form: secret for secret in secrets for form in forms(secret)}
    hits = []
    for path in files_below(place) if sought else ():
        name = str(path.relative_to(place)) if path != place else ""
        for where, content in (("name", name.encode()), ("content", path.read_bytes())):
            lower = content.lower()
            hits += [f"{path}: {secret!r} in its {where}" for form, secret in sought.items() if form in lower]
    return hits
