"""What a destination's last answer means, in words: DIMSE statuses, HTTP statuses, and our own codes. Pure.

The codes are those of `proxy.errors.DeliveryError`; a code that no table knows is shown as it is.
"""

from __future__ import annotations

import re
from http import HTTPStatus

#: C-STORE-RSP (PS3.4 B.2.3, PS3.7 C): lowest, highest, words. The first match wins.
_DIMSE = (
    (0x0000, 0x0000, "stored"),
    (0x0106, 0x0106, "invalid attribute value"),
    (0x0110, 0x0110, "processing failure"),
    (0x0111, 0x0111, "duplicate SOP instance"),
    (0x0117, 0x0117, "invalid SOP instance"),
    (0x0122, 0x0122, "SOP class not supported"),
    (0x0124, 0x0124, "not authorised"),
    (0x0213, 0x0213, "resource limitation"),
    (0xA700, 0xA7FF, "out of resources"),
    (0xA900, 0xA9FF, "data set does not match SOP class"),
    (0xB000, 0xBFFF, "stored with a warning"),
    (0xC000, 0xCFFF, "cannot understand"),
    (0xFE00, 0xFE00, "cancelled"),
)
#: A-ASSOCIATE-RJ (PS3.8 table 9-21): source and reason
_REJECTED = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognised",
    (1, 7): "called AE title not recognised",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
_OURS = {
    "aborted": "the association ended before the answer",
    "archive": "the archive cannot file the instance",
    "closed": "the sender was shut down",
    "connection": "no connection, or it broke",
    "internal-error": "an error of Veil's own",
    "no-association": "no association: nobody listens there, or it was refused",
    "no-context": "SOP class or transfer syntax not accepted in negotiation",
    "no-such-destination": "veil.yaml names it no more",
    "no-spool-file": "the de-identified file is gone",
    "no-status": "what came back is no answer to C-STORE",
    "no-transcoding": "cannot be decompressed for this destination",
    "no-worker": "no worker to decompress with",
    "spool": "the de-identified file cannot be read",
    "timeout": "no answer in time",
    "too-large": "decompressed it is larger than the limit",
    "AuditUnavailable": "the audit log cannot be written",
    "ENOSPC": "the disk is full",
}
_HEX = re.compile(r"[0-9A-F]{4}")
_STOW = re.compile(r"(\d{3})(?: ([0-9A-F]{4}))?")
_ASSOCIATE = re.compile(r"A-ASSOCIATE-RJ (\d+)/(\d+)/(\d+)")


def in_words(code: str) -> str:
    """``code`` and what it means; "" for none."""
    if _HEX.fullmatch(code) and (found := _dimse(int(code, 16))):
        return f"{code}: {found}"
    if match := _ASSOCIATE.fullmatch(code):
        found = _REJECTED.get((int(match[2]), int(match[3])), "reason unknown")
        return f"association rejected: {found} ({code.rpartition(' ')[2]})"
    if match := _STOW.fullmatch(code):
        return _http(code, int(match[1]), match[2] or "")
    return _OURS.get(code, code)


def _dimse(status: int) -> str:
    return next((words for low, high, words in _DIMSE if low <= status <= high), "")


def _http(code: str, status: int, reason: str) -> str:
    known = status in frozenset(HTTPStatus)
    words = f"{code}: {HTTPStatus(status).phrase}" if known else code
    return f"{words}, {_dimse(int(reason, 16))}" if reason else words
