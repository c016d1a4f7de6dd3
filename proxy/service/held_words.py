"""Why instances are held, in words for people: what each reason means, and what can be done. A table; no instance.

docs/deidentification.md has the same table, and a test holds one against the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.errors import Reason


@dataclass(frozen=True, slots=True)
class Advice:
    """For reasons that mean the same to who looks after them."""

    reasons: tuple[Reason, ...]
    means: str
    todo: str


ADVICE = (
    Advice(
        (
            Reason.NOT_DICOM, Reason.TRUNCATED, Reason.LENGTH_BEYOND_BUFFER, Reason.TOO_DEEP, Reason.TOO_MANY_ELEMENTS,
            Reason.INFLATE_LIMIT,
        ),
        "the pre-scan refused the encoding",
        "have it sent again; if it comes the same again, it is the sender that writes it so",
    ),
    Advice(
        (Reason.MALFORMED,),
        "no parser could read it, two readers disagree, or a kept value is not of its VR",
        "look at the element that is named: remove it by a rule, or have the sender mend it",
    ),
    Advice(
        (Reason.BAD_CHARSET,),
        "kept text cannot be decoded, or its character set is unknown",
        "have the sender state the right Specific Character Set, or keep no text",
    ),
    Advice(
        (Reason.UNKNOWN_TRANSFER_SYNTAX,),
        "not in `transfer-syntaxes.csv`, or pixels elsewhere (JPIP, SMPTE ST 2110)",
        "have it sent in another transfer syntax",
    ),
    Advice(
        (Reason.UNKNOWN_SOP_CLASS,),
        "private, or not a storage SOP class of PS3.6",
        "no rule lets it pass; purge it where nobody needs it",
    ),
    Advice(
        (Reason.UID_MISMATCH, Reason.MISSING_UID, Reason.BAD_UID),
        "SOP Class, SOP Instance, Study or Series Instance UID: absent, invalid, or not what request and file meta "
        "information say",
        "the sender has to mend it and send it again",
    ),
    Advice(
        (Reason.BLANK_PATIENT_ID,),
        "Patient ID is missing or empty, and patients must not be mixed up",
        "have it sent with a Patient ID, or set `blank_patient_id: per-study` and replay",
    ),
    Advice(
        (Reason.BURNED_IN,),
        "the instance says that text is burned in, or it is the label of a slide",
        "have the text blanked by a device rule, or by reading (`pixels`), and replay",
    ),
    Advice(
        (Reason.PIXELS_UNINSPECTED,),
        "text may be burned in, and no rule and no reader answers for it",
        "add a device rule, or let the profile read the pixels for text, and replay",
    ),
    Advice(
        (Reason.ENCAPSULATED_DOCUMENT,),
        "a document (PDF, CDA, ...) inside, which nothing here cleans",
        "`documents: dummy` in the profile puts an empty one in its place; or purge it",
    ),
    Advice(
        (Reason.UNSUPPORTED_CONTENT,),
        "content that no attribute profile de-identifies (voice, raw data, an overlay that cannot be taken out)",
        "no rule lets it pass; purge it where nobody needs it",
    ),
    Advice(
        (Reason.FACE,),
        "a scan or photograph that may show a face, and the profile holds these",
        "deface it first (`veil deface`), or let the profile forward faces, and replay",
    ),
    Advice(
        (Reason.PIXEL_RULE_MISMATCH,),
        "a device rule has no boxes for this matrix size, or ultrasound regions do not fit the image",
        "add the size to the device rule and replay",
    ),
    Advice(
        (Reason.PIXELS_UNREADABLE, Reason.NO_CODEC),
        "the image's description or code stream does not add up; nothing here reads or writes its coding",
        "have it sent again, or in another transfer syntax",
    ),
    Advice(
        (Reason.TEXT_UNDECIDED,),
        "text is said to be there and none is found, or the reading took too long",
        "add a device rule for the machine and replay",
    ),
    Advice(
        (Reason.PIXELS_NOT_CLEAN,),
        "the second reading of the pixels that would leave did not agree",
        "add a device rule for the machine and replay",
    ),
    Advice(
        (Reason.REFUSED_BY_RULE,),
        "a rule of the profile refuses such instances",
        "nothing, if the rule is right; purge it where nobody needs it",
    ),
    Advice(
        (Reason.IDENTIFIER_REMAINS, Reason.ELEMENT_NOT_ALLOWED, Reason.OUTPUT_UNREADABLE),
        "the second reader did not agree",
        "look at the element that is named: remove or clean it by a rule, and replay",
    ),
    Advice((Reason.ENGINE_ERROR,), "a fault of Veil", "replay it after an update; report it with the detail"),
    Advice(
        (Reason.WORKER_CRASHED, Reason.WORKER_TIMEOUT),
        "it ended the process that worked on it, or took longer than `workers.seconds`",
        "replay it once; if it does it again, raise the limit or report it",
    ),
    Advice(
        (Reason.DUPLICATE_INSTANCE,),
        "the same SOP Instance UID with other content, in one run over files",
        "find out which of the two is right",
    ),
    Advice(
        (Reason.REJECTED_BY_DESTINATION,),
        "the destination does not take this instance; the de-identified copy is kept",
        "see what it answered, mend it there, send again",
    ),
)  # fmt: skip
_BY_REASON = {reason: advice for advice in ADVICE for reason in advice.reasons}

#: why somebody destroys an original: codes for the record; free text would hold names
PURGE_WHYS = {
    "sent-again": "It was sent again and has left",
    "not-needed": "Nobody needs it",
    "sent-by-mistake": "It should not have been sent",
    "withdrawn": "Consent was withdrawn",
    "test": "Test data",
}


def advice_on(reason: Reason) -> Advice:
    """What ``reason`` means and what to do."""
    return _BY_REASON[reason]
