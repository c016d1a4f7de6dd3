"""What the tables of docs/dicom-conformance.md say in words; the numbers come from the code."""

from __future__ import annotations

REJECTIONS = {
    (1, 1, 1): "the user identity is missing or not good",
    (1, 1, 2): "another application context than DICOM's",
    (1, 1, 3): "no peer whose conditions all hold",
    (1, 1, 7): "no project has the called AE title, or the peer may do nothing there",
    (1, 2, 2): "a protocol version without bit 0",
    (2, 1, 1): "Veil is stopping",
    (2, 3, 1): "tokens, keys or the audit trail cannot be had at the moment",
    (2, 3, 2): "too many associations, or too many failures from this address",
}

QUERY_STATUSES = {
    "SUCCESS": "done",
    "PENDING": "more follows",
    "PENDING_UNSUPPORTED": "C-FIND: more follows, and a key is not known here",
    "CANCEL": "cancelled by the requester",
    "RESPONSE_LIMIT": "C-FIND: there are more matches than one answer has",
    "SOME_FAILED": "C-MOVE, C-GET: some sub-operations failed",
    "OUT_OF_RESOURCES": "C-FIND: not to be had at the moment",
    "CANNOT_COUNT": "C-MOVE, C-GET: not to be had at the moment; nothing was sent",
    "CANNOT_SEND": "C-MOVE, C-GET: everything failed, or sending ended early",
    "DESTINATION_UNKNOWN": "C-MOVE: no such destination for this project",
    "NOT_OF_SOP_CLASS": "the identifier does not fit the information model",
    "UNABLE": "the identifier cannot be read or matched",
    "REFUSED_KEY": "C-FIND: a key would match what identifies somebody",
    "NOT_AUTHORISED": "the peer was not granted this",
}

#: term of `proxy.deid.repertoire` → as PS3.3 C.12.1.1.2 writes it
_SINGLE = ("6", "100", "101", "109", "110", "144", "127", "126", "138", "148", "203", "13", "166", "192")
_EXTENDED = ("87", "159", "149", "58")
CHARACTER_SETS = (
    {"": "none at all", "GB18030": "GB18030", "GBK": "GBK"}
    | {term: f"ISO_IR {term}" for term in _SINGLE}
    | {term: f"ISO 2022 IR {term}" for term in _EXTENDED}
)
