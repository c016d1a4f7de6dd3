"""DIMSE statuses (PS3.4 B.2.3, PS3.7 C) in tables: what a sender is told, and what a destination's answer means.

No comment here carries a value: the words are ours and constant. This file decides nothing else and does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from proxy.errors import (
    MALFORMED_REASONS,
    DeliveryError,
    DeliveryTransient,
    DestinationRefuses,
    InstanceRejected,
    Reason,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A C-STORE-RSP: (0000,0900) Status and (0000,0902) Error Comment, LO, at most 64 characters."""

    status: int
    comment: str = ""


STORED = Answer(0x0000)
UNAVAILABLE = Answer(0xA700, "cannot store durably now, send again")
NO_MEMORY = Answer(0xA700, "too many instances at once, send again")
TOO_LARGE = Answer(0xA700, "instance larger than limit")
FAILED = Answer(0x0110, "processing failure")
NOT_AUTHORISED = Answer(0x0124, "not authorised")

_CANNOT_UNDERSTAND = 0xC000
_PROCESSING_FAILURE = 0x0110

#: The status of a held instance whose sender is told. Every `Reason` has a row.
STATUS_BY_REASON: dict[Reason, int] = {
    Reason.NOT_DICOM: _CANNOT_UNDERSTAND,
    Reason.TRUNCATED: _CANNOT_UNDERSTAND,
    Reason.LENGTH_BEYOND_BUFFER: _CANNOT_UNDERSTAND,
    Reason.TOO_DEEP: _CANNOT_UNDERSTAND,
    Reason.TOO_MANY_ELEMENTS: _CANNOT_UNDERSTAND,
    Reason.INFLATE_LIMIT: _CANNOT_UNDERSTAND,
    Reason.MALFORMED: _CANNOT_UNDERSTAND,
    Reason.BAD_CHARSET: _CANNOT_UNDERSTAND,
    Reason.UNKNOWN_SOP_CLASS: 0x0122,
    Reason.UNKNOWN_TRANSFER_SYNTAX: _CANNOT_UNDERSTAND,
    Reason.UID_MISMATCH: 0xA900,
    Reason.MISSING_UID: _CANNOT_UNDERSTAND,
    Reason.BAD_UID: _CANNOT_UNDERSTAND,
    Reason.BLANK_PATIENT_ID: _PROCESSING_FAILURE,
    Reason.BURNED_IN: _PROCESSING_FAILURE,
    Reason.PIXELS_UNINSPECTED: _PROCESSING_FAILURE,
    Reason.PIXELS_UNREADABLE: _PROCESSING_FAILURE,
    Reason.NO_CODEC: _PROCESSING_FAILURE,
    Reason.PIXEL_RULE_MISMATCH: _PROCESSING_FAILURE,
    Reason.TEXT_UNDECIDED: _PROCESSING_FAILURE,
    Reason.FACE: _PROCESSING_FAILURE,
    Reason.PIXELS_NOT_CLEAN: _PROCESSING_FAILURE,
    Reason.REFUSED_BY_RULE: _PROCESSING_FAILURE,
    Reason.ENCAPSULATED_DOCUMENT: _PROCESSING_FAILURE,
    Reason.UNSUPPORTED_CONTENT: _PROCESSING_FAILURE,
    Reason.IDENTIFIER_REMAINS: _PROCESSING_FAILURE,
    Reason.ELEMENT_NOT_ALLOWED: _PROCESSING_FAILURE,
    Reason.OUTPUT_UNREADABLE: _PROCESSING_FAILURE,
    Reason.ENGINE_ERROR: _PROCESSING_FAILURE,
    Reason.WORKER_CRASHED: _PROCESSING_FAILURE,
    Reason.WORKER_TIMEOUT: _PROCESSING_FAILURE,
    Reason.DUPLICATE_INSTANCE: _PROCESSING_FAILURE,
    Reason.REJECTED_BY_DESTINATION: _PROCESSING_FAILURE,
}


class Outcome(Protocol):
    """The part of an ingest outcome that decides a status."""

    @property
    def stored(self) -> bool:
        """Whether the instance is released and durable."""
        ...

    @property
    def reason(self) -> Reason | None:
        """Why it is held."""
        ...

    @property
    def answer(self) -> str:
        """``accept`` or ``refuse``: what the project tells the sender of a held instance."""
        ...


def answer(outcome: Outcome) -> Answer:
    """What the sender of an instance with this outcome is told.

    An instance that policy holds is stored (in quarantine), so its sender hears success, unless the project says
    ``refuse``; one that nobody can read is reported in either case.
    """
    if outcome.stored:
        return STORED
    if outcome.reason is None:
        return FAILED
    if outcome.reason not in MALFORMED_REASONS and outcome.answer == "accept":
        return STORED
    return Answer(STATUS_BY_REASON[outcome.reason], f"held: {outcome.reason}")


#: What a destination's C-STORE-RSP status means, as (lowest, highest, error). None: delivered. The first match wins.
MEANING: tuple[tuple[int, int, type[DeliveryError] | None], ...] = (
    (0x0000, 0x0000, None),
    (0xB000, 0xBFFF, None),  # stored, with coerced or discarded elements
    (0xA700, 0xA7FF, DeliveryTransient),  # out of resources
    (0x0213, 0x0213, DeliveryTransient),  # resource limitation
    (0xFE00, 0xFE00, DeliveryTransient),  # cancelled
    (0x0122, 0x0122, DestinationRefuses),  # SOP class not supported
    (0x0124, 0x0124, DestinationRefuses),  # not authorised
    (0x0000, 0xFFFF, InstanceRejected),  # A9xx, Cxxx, 0110, 0111, 0117 and what no table knows
)


def check_delivered(status: int) -> None:
    """Return when ``status`` says that the destination has the instance; else raise the `DeliveryError` it means."""
    error = next(kind for low, high, kind in MEANING if low <= status <= high)
    if error is not None:
        raise error(f"{status:04X}", "C-STORE failed")


#: A-ASSOCIATE-RJ result (PS3.8 table 9-21): 1 permanent, 2 transient.
_REJECTION: dict[int, type[DeliveryError]] = {1: DestinationRefuses, 2: DeliveryTransient}


def association_rejected(result: int, source: int, reason: int) -> DeliveryError:
    """The error that an A-ASSOCIATE-RJ means."""
    return _REJECTION.get(result, DeliveryTransient)(f"A-ASSOCIATE-RJ {result}/{source}/{reason}")
