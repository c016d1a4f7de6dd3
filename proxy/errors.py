"""The one error tree of Veil. Shells (cli, dimse, dicomweb, workers) map it to outcomes in one table each.

    VeilError
    ├── ConfigError          a config, key or rules file is wrong      → exit status 2, nothing started
    ├── SealBroken           a sealed file was altered, or sealed with another key; it is kept and not opened
    ├── InstanceHeld         this instance may not leave               → sealed quarantine, reason code
    ├── Unavailable          no durable promise can be made right now  → A700 / 503, the sender tries again
    │   ├── AuditUnavailable     no audit sink can write
    │   ├── SpoolFull            disk or high-water mark
    │   ├── DiskHangs            the disk finishes nothing any more
    │   └── WorkersUnavailable   no de-identification worker answers
    └── DeliveryError        a destination did not take an instance
        ├── DeliveryTransient    try again later, without limit
        ├── InstanceRejected     this destination refuses this instance
        └── DestinationRefuses   this destination refuses everything: pause it

No message of this tree may carry a value of a dataset: tags, codes, lengths and counts only.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an instance is held. Stable codes: they are stored, audited and shown to operators."""

    NOT_DICOM = "not-dicom"
    TRUNCATED = "truncated"
    LENGTH_BEYOND_BUFFER = "length-beyond-buffer"
    TOO_DEEP = "nesting-too-deep"
    TOO_MANY_ELEMENTS = "too-many-elements"
    INFLATE_LIMIT = "inflate-limit"
    MALFORMED = "malformed-data-set"
    BAD_CHARSET = "bad-character-set"
    UNKNOWN_SOP_CLASS = "unknown-sop-class"
    UNKNOWN_TRANSFER_SYNTAX = "unknown-transfer-syntax"
    UID_MISMATCH = "uid-mismatch"
    MISSING_UID = "missing-uid"
    BAD_UID = "bad-uid"
    BLANK_PATIENT_ID = "blank-patient-id"
    BURNED_IN = "burned-in-annotation"
    PIXELS_UNINSPECTED = "pixels-uninspected"
    PIXELS_UNREADABLE = "pixels-unreadable"
    NO_CODEC = "no-codec"
    PIXEL_RULE_MISMATCH = "pixel-rule-mismatch"
    TEXT_UNDECIDED = "text-undecided"
    FACE = "recognizable-face"
    PIXELS_NOT_CLEAN = "pixels-not-clean"
    ENCAPSULATED_DOCUMENT = "encapsulated-document"
    UNSUPPORTED_CONTENT = "unsupported-content"
    REFUSED_BY_RULE = "refused-by-rule"
    IDENTIFIER_REMAINS = "identifier-remains"
    ELEMENT_NOT_ALLOWED = "element-not-allowed"
    OUTPUT_UNREADABLE = "output-unreadable"
    ENGINE_ERROR = "engine-error"
    WORKER_CRASHED = "worker-crashed"
    WORKER_TIMEOUT = "worker-timeout"
    DUPLICATE_INSTANCE = "duplicate-instance"
    REJECTED_BY_DESTINATION = "rejected-by-destination"


#: Reasons that blame the encoding of the input. The sender is told (C000 / FailureReason) although the bytes are kept.
MALFORMED_REASONS = frozenset(
    {
        Reason.NOT_DICOM,
        Reason.TRUNCATED,
        Reason.LENGTH_BEYOND_BUFFER,
        Reason.TOO_DEEP,
        Reason.TOO_MANY_ELEMENTS,
        Reason.INFLATE_LIMIT,
        Reason.MALFORMED,
        Reason.BAD_CHARSET,
        Reason.UID_MISMATCH,
        Reason.MISSING_UID,
        Reason.BAD_UID,
    }
)


class VeilError(Exception):
    """Root of the tree. ``str()`` of any member is safe to log."""


class ConfigError(VeilError):
    """One line: where in which document, what is wrong, what to do."""

    def __init__(self, where: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{where}: {problem}" + (f" ({hint})" if hint else ""))
        self.where, self.problem, self.hint = where, problem, hint


class SealBroken(VeilError):
    """A sealed file was altered or cut short, or another key sealed it. Nothing of it is used."""


class InstanceHeld(VeilError):
    """The instance must not leave. ``detail`` names tags, lengths and rules, never values."""

    def __init__(self, reason: Reason, detail: str = "", tag: int | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason, self.detail, self.tag = reason, detail, tag

    def __reduce__(self) -> tuple[type[InstanceHeld], tuple[Reason, str, int | None]]:
        return (InstanceHeld, (self.reason, self.detail, self.tag))


class Unavailable(VeilError):
    """No durable promise can be made right now; the sender must keep the instance and try again."""


class AuditUnavailable(Unavailable):
    """No audit sink can write: no record, no operation."""


class SpoolFull(Unavailable):
    """The disk is full or the spool is above its high-water mark."""


class DiskHangs(Unavailable):
    """The disk has finished nothing for too long, though something waits for it."""


class WorkersUnavailable(Unavailable):
    """No de-identification worker answers."""


class DeliveryError(VeilError):
    """A destination did not take an instance. ``code`` is a DIMSE or HTTP status, in text."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code, self.detail = code, detail


class DeliveryTransient(DeliveryError):
    """A7xx, 5xx, 429, connection trouble: retried with jitter, without a count limit."""


class InstanceRejected(DeliveryError):
    """A9xx, Cxxx, 400, 409: only this instance is at fault; held after three tries."""


class DestinationRefuses(DeliveryError):
    """0122, 0124, 401, 403, permanent association reject: the destination is paused."""
