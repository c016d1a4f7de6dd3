"""Reads the slices of series from files and writes them again without a face. The only I/O of ``veil deface``.

What it writes is as identified as what it read. UIDs derive from those of the originals: a second run gives the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

import proxy
from proxy.deid.access import plain_of
from proxy.deid.decode import read_instance
from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.deface_series import SliceImage, slice_image
from proxy.deid.pixels.faces import face
from proxy.deid.pixels.frames import Frame
from proxy.deid.pixels.stage import images_of
from proxy.deid.pixels.truth import STATISTICS
from proxy.deid.profile import Policy
from proxy.deid.values import strict_text
from proxy.errors import InstanceHeld
from proxy.service.offline import Source, find

METHOD = "flat cut in front of a plane through the face"
_SOP_CLASS, _SERIES = 0x00080016, 0x0020000E
#: Extended Offset Table and its lengths, icon: of the pixels as they were
_STALE = (*STATISTICS, 0x7FE00001, 0x7FE00002, 0x00880200)


@dataclass(frozen=True, slots=True)
class Series:
    """Files of one series, with its SOP class; ``shows`` says why a face is expected in it, "" where none is."""

    sop_class: str
    shows: str
    sources: list[Source] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that is no instance that can be read."""

    source: Source
    why: str


def series_in(folder: Path, policy: Policy) -> tuple[list[Series], list[Unread]]:
    """The series below ``folder``, by Series Instance UID and SOP class, in the order of their first files."""
    found: dict[tuple[str, str], Series] = {}
    unread: list[Unread] = []
    for source in find([folder]):
        try:
            with strict_text():
                instance = read_instance(memoryview(source.path.read_bytes()), policy)
                uids = tuple(plain_of(instance.root, tag) or "" for tag in (_SERIES, _SOP_CLASS))
                known = policy.sop_classes.get(uids[1])
                shows = face(Attributes.of(instance.root, instance.syntax.little), known) if known is not None else ""
        except InstanceHeld as held:
            unread.append(Unread(source, str(held)))
            continue
        series = found.get((uids[0], uids[1])) or Series(uids[1], shows)
        # one instance that may show a face is enough for all
        found[uids[0], uids[1]] = Series(series.sop_class, series.shows or shows, [*series.sources, source])
    return list(found.values()), unread


def images(series: Series, policy: Policy) -> list[SliceImage]:
    """Every slice, decoded; `InstanceHeld` or `FaceNotFound` for one that cannot be."""
    found = []
    for source in series.sources:
        with strict_text():
            instance = read_instance(memoryview(source.path.read_bytes()), policy)
            decoded = images_of(instance, policy)
            asked = Attributes.of(instance.root, instance.syntax.little)
            found.append(slice_image(decoded.frame(0), decoded.layout, asked))
    return found


def write(series: Series, frames: Iterator[Frame], out: Path) -> None:
    """The slices with new pixels below ``out``, where the originals lie below their folder; nothing is overwritten."""
    for source, frame in zip(series.sources, frames, strict=True):
        ds = dcmread(source.path)
        _replace_pixels(ds, frame)
        _identify_anew(ds)
        _tell(ds)
        target = out / source.relative
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            ds.save_as(file, enforce_file_format=True, implicit_vr=False, little_endian=True)


def _replace_pixels(ds: Dataset, frame: Frame) -> None:
    little = frame.astype(frame.dtype.newbyteorder("<"), copy=False).tobytes()
    ds.PixelData = little + b"\0" * (len(little) % 2)
    ds["PixelData"].VR = "OW" if frame.dtype.itemsize > 1 else "OB"
    ds["PixelData"].is_undefined_length = False
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for tag in _STALE:
        if tag in ds:
            del ds[tag]


def _identify_anew(ds: Dataset) -> None:
    """Derived pixels are another instance of another series (PS3.3 C.7.6.1.1.2, PS3.4 B.4.1.3)."""
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.SourceImageSequence = Items([*ds.get("SourceImageSequence", []), source])
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = derived_uid(str(ds.SOPInstanceUID))
    ds.SeriesInstanceUID = derived_uid(str(ds.SeriesInstanceUID))


def derived_uid(uid: str) -> UID:
    """A UID for what was made of ``uid``, always the same (PS3.5 B.2, RFC 9562 version 5)."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'veil deface v1 {uid}').int}")


def _tell(ds: Dataset) -> None:
    """What was done (PS3.15 E.3.2); the only place that states 113102."""
    ds.ImageType = ["DERIVED", *_listed(ds, "ImageType")[1:]]
    ds.DerivationDescription = "; ".join(filter(None, (ds.get("DerivationDescription", ""), f"Face removed: {METHOD}")))
    ds.DerivationCodeSequence = _with_code(ds, "DerivationCodeSequence", "113047", "Pixel by pixel mask")
    ds.RecognizableVisualFeatures = "NO"
    ours = f"Veil {proxy.__version__} deface: {METHOD}"[:64]
    ds.DeidentificationMethod = [*_listed(ds, "DeidentificationMethod"), ours]
    ds.DeidentificationMethodCodeSequence = _with_code(
        ds, "DeidentificationMethodCodeSequence", "113102", "Clean Recognizable Visual Features Option"
    )


def _listed(ds: Dataset, keyword: str) -> Sequence[str]:
    value = ds.get(keyword)
    return [] if not value else [value] if isinstance(value, str) else list(value)


def _with_code(ds: Dataset, keyword: str, value: str, meaning: str) -> Items:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return Items([*ds.get(keyword, []), code])
