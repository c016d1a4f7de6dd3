"""`Deidentifier`: the engine and the gate for one `pydicom.Dataset` in memory, for notebooks and scripts.

The same two readings as in the proxy: encode, de-identify, verify, read back. What is not released is raised, never
returned. Reads no file and knows no profile by name: `proxy.notebook.load` does. Not for use in several threads.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings

from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from proxy.deid.engine import deidentify, explain
from proxy.deid.pixels.plan import TextReader
from proxy.deid.place import Step
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed, Report, materialise
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld, Reason

#: encoding of a data set that has no file meta information (implicit VR, little endian) → transfer syntax (PS3.5 10)
_SYNTAXES: dict[tuple[bool | None, bool | None], UID] = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}


class Deidentifier:
    """De-identifies data sets under one compiled policy (PS3.15 Annex E)."""

    def __init__(self, policy: Policy, reader: TextReader | None = None) -> None:
        """``policy`` comes from `proxy.deid.profile.compile_policy`, or ready-made from `proxy.notebook.load`."""
        self.policy, self._reader = policy, reader
        # no bytes travel on this gate's word, so its key need not be secret; no other gate admits what it releases
        self._gate = Gate(hashlib.sha256(b"veil/api/v1 " + policy.digest.encode("ascii")).digest(), reader)

    def __repr__(self) -> str:
        return f"Deidentifier({self.policy.profile!r}, policy {self.policy.digest[:16]})"

    def apply(self, ds: Dataset) -> Dataset:
        """A new, de-identified data set with its file meta information; ``ds`` is not changed.

        `InstanceHeld` where it may not leave: ``reason``, ``tag`` and ``detail`` say why, without values.
        """
        return dcmread(io.BytesIO(self.apply_bytes(encoded(ds))[0]))

    def apply_bytes(self, data: bytes) -> tuple[bytes, Report]:
        """The same for an encoded Part 10 instance, with the report of what was done to it."""
        view = memoryview(data)
        result = deidentify(view, Claimed(), self.policy, self._reader)
        self._gate.verify(view, result, self.policy)
        return materialise(result.chunks, view), result.report

    def explain(self, ds: Dataset) -> list[Step]:
        """What `apply` does to each element and by which rule, without values; raises `InstanceHeld` as it does."""
        return explain(memoryview(encoded(ds)), Claimed(), self.policy, self._reader)


def encoded(ds: Dataset) -> bytes:
    """``ds`` as a Part 10 instance (PS3.10 7.1) in the transfer syntax that it states or was read in.

    The rest of its file meta information is made anew. `InstanceHeld` (MALFORMED) where it cannot be written.
    """
    said = getattr(ds, "file_meta", None) or FileMetaDataset()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = _uid(ds, "SOPClassUID")
    meta.MediaStorageSOPInstanceUID = _uid(ds, "SOPInstanceUID")
    meta.TransferSyntaxUID = said.get("TransferSyntaxUID") or _SYNTAXES.get(
        ds.original_encoding, ExplicitVRLittleEndian
    )
    copy = Dataset(ds)
    copy.file_meta, copy.preamble = meta, bytes(128)
    out = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values; what is wrong is found by engine and gate
            dcmwrite(out, copy, enforce_file_format=True)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError, struct.error) as error:
        # the text of the error may quote the data set
        raise InstanceHeld(Reason.MALFORMED, f"the data set cannot be written: {type(error).__name__}") from None
    return out.getvalue()


def _uid(ds: Dataset, keyword: str) -> UID:
    value = ds.get(keyword, "")
    if not isinstance(value, str) or not value:
        raise InstanceHeld(Reason.MISSING_UID, f"{keyword} is missing or empty")
    return UID(value)
