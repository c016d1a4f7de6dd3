"""RFC 5424 messages of records, and how they stand in a stream (RFC 5425: octet counting).

PRI 85 and 84: facility 10, severity notice or warning (PS3.15 A.6). MSG is one line: ASCII for XML and JSON, UTF-8 for
CEF. ``sequenceId`` of the element ``meta`` (RFC 5424 7.3.1) is the record's number, so that a receiver sees gaps.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from proxy.audit.formats import batches, cef, dicom
from proxy.audit.formats.entry import Entry

_NOTICE, _WARNING = 85, 84
#: sequenceId ends here and begins again with 1
_LAST = 2_147_483_647
_NOT_GRAPHIC = re.compile(r"[^\x21-\x7e]")

#: format → MSGID, and what makes MSG
MESSAGES: dict[str, tuple[str, Callable[[Entry], str]]] = {
    "dicom": ("DICOM+RFC3881", dicom.render),
    "cef": ("CEF", cef.render),
    "fhir": ("FHIR", batches.fhir_text),
    "ocsf": ("OCSF", batches.ocsf_text),
}


def message(entry: Entry, form: str, host: str, most: int) -> bytes:
    """The SYSLOG-MSG of ``entry``. Beyond ``most`` bytes it is that of the entry's brief form: never a cut one."""
    whole = _message(entry, form, host)
    return whole if len(whole) <= most else _message(entry.brief, form, host)


def _message(entry: Entry, form: str, host: str) -> bytes:
    name, render = MESSAGES[form]
    priority = _WARNING if entry.failed else _NOTICE
    number = (entry.seq - 1) % _LAST + 1
    process = graphic(entry.node, 48)
    header = (
        f'<{priority}>1 {entry.time or "-"} {graphic(host, 255)} veil {process} {name} [meta sequenceId="{number}"]'
    )
    return f"{header} {render(entry)}".encode()


def graphic(text: str, most: int) -> str:
    """``text`` as a header field: graphic ASCII, "-" for nothing."""
    return _NOT_GRAPHIC.sub("_", text)[:most] or "-"


def counted(message: bytes) -> bytes:
    """``message`` as a SYSLOG-FRAME (RFC 5425 4.3)."""
    return b"%d %b" % (len(message), message)
