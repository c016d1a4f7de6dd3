"""Values that cross the border of the core. Plain, frozen, picklable; no behaviour beyond reading them.

An instance travels as DICOM Part 10 bytes (PS3.10) in one buffer; what leaves unchanged is described by `Slice`
(a run of that buffer), so pixel data is neither decoded nor copied on its way through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxy.deid.pixels.plan import Work


@dataclass(frozen=True, slots=True)
class Slice:
    """A run of the input buffer that leaves as it came: ``buffer[offset : offset + length]`` (bytes)."""

    offset: int
    length: int


Chunk = bytes | Slice


@dataclass(frozen=True, slots=True)
class Claimed:
    """What the sender said outside the dataset (C-STORE command set, STOW URI); checked against it, "" = not said."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class Original:
    """The sender's own identifiers. For answers to that sender and the drawers; never logged or stored in clear."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    #: the patient's, where the pseudonymous Patient ID of the instance stands for this one and for no other
    issuer: str = field(default="", compare=False)
    patient_id: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return "Original(<phi>)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Report:
    """What was done to one instance; pseudonymous values and counts only, safe to log and audit."""

    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str
    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    study_date: str
    policy_digest: str
    key_epoch: int
    #: elements by what happened: removed, emptied, replaced, remapped, shifted, kept, added
    counts: Mapping[str, int] = field(default_factory=dict)
    #: CID 7050 code values claimed in (0012,0064)
    method_codes: tuple[str, ...] = ()
    #: what was done to the pixels, in words of ours; "" where there are none
    pixels: str = ""
    #: what made the instance, as far as it leaves (`made_by`), and what answered for its pixels (`pixels.coverage`)
    manufacturer: str = ""
    model: str = ""
    pixels_by: str = ""


@dataclass(frozen=True, slots=True)
class Deidentified:
    """The engine's answer: a whole Part 10 file as chunks, in order. Not releasable before `verify.Gate` says so."""

    chunks: tuple[Chunk, ...]
    original: Original
    report: Report
    #: what was done to the pixels
    work: Work = field(default_factory=Work)


def materialise(chunks: tuple[Chunk, ...], source: memoryview | bytes) -> bytes:
    """Join ``chunks`` over ``source`` into one bytes object (tests, small instances)."""
    view = memoryview(source)
    return b"".join(c if isinstance(c, bytes) else bytes(view[c.offset : c.offset + c.length]) for c in chunks)
