"""Every file that pydicom carries and that has a SOP class, and the identifiers that must not leave with it.

Read with pydicom alone, leniently: what is identifying is decided here without any rule of the product.
"""

from __future__ import annotations

import re
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pydicom
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.system.modality import DEFLATED, split

DATA = Path(pydicom.__file__).parent / "data"
#: Patient ID, Patient's Birth Date, Accession Number, Other Patient IDs
_WHOLE = (0x00100020, 0x00100030, 0x00080050, 0x00101000)
#: Patient's Name, Referring Physician's Name
_NAMES = (0x00100010, 0x00080090)
_WELL_KNOWN = "1.2.840.10008."
_SHORT_UID = 20


@dataclass(frozen=True)
class Bundled:
    """One file. ``identifiers`` are patterns of bytes."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    identifiers: tuple[bytes, ...]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(DATA))

    @property
    def part10(self) -> bool:
        """Whether it has a preamble and file meta information."""
        return self.path.read_bytes()[128:132] == b"DICM" and bool(self.transfer_syntax_uid)

    def raw_in(self, content: bytes) -> list[bytes]:
        """Identifiers of this file that stand in the Part 10 file ``content``, inflated where it is deflated."""
        clear = content + _inflated(content)
        return [pattern for pattern in self.identifiers if re.search(pattern, clear, re.DOTALL)]


@cache
def bundled() -> tuple[Bundled, ...]:
    """All of them, in a stable order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paths = [p for d in ("test_files", "charset_files") for p in sorted((DATA / d).rglob("*")) if p.is_file()]
        return tuple(found for path in paths if (found := _read(path)) is not None)


def _inflated(part10: bytes) -> bytes:
    *_, syntax, dataset = split(part10)
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(dataset) if syntax == DEFLATED else b""


def _read(path: Path) -> Bundled | None:
    try:
        ds = dcmread(path, force=True)
    except Exception:  # not DICOM: JSON, text, archives
        return None
    if "SOPClassUID" not in ds:
        return None
    syntax = str(getattr(ds.file_meta, "TransferSyntaxUID", ""))
    identifiers = tuple(sorted({*_personal(ds), *_uids(ds)}))
    return Bundled(path, str(ds.SOPClassUID), str(ds.get("SOPInstanceUID", "")), syntax, identifiers)


def _personal(ds: Dataset) -> Iterator[bytes]:
    for tag in _WHOLE + _NAMES:
        if tag not in ds:
            continue
        value = ds.get_item(tag).value
        raw = value if isinstance(value, bytes) else str(value).encode()
        parts = re.split(rb"[\\^=]", raw) if tag in _NAMES else [raw]
        yield from (re.escape(part.strip(b" \0")) for part in parts if len(part.strip(b" \0")) >= 4)


def _uids(ds: Dataset) -> Iterator[bytes]:
    for element in ds.iterall():
        if element.VR != "UI" or not element.value:
            continue
        values = [element.value] if isinstance(element.value, str) else list(element.value)
        for uid in map(str, values):
            if len(uid) < 6 or uid.startswith(_WELL_KNOWN):
                continue
            pattern = re.escape(uid.encode())
            # a short one may by chance be a part of another
            yield pattern if len(uid) >= _SHORT_UID else rb"(?<![0-9.])" + pattern + rb"(?![0-9.])"
