"""The tables of docs/dicom-conformance.md, made of what negotiates and answers.

``python -m tests.dimse.conformance_page`` writes them into the page.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydicom.uid import UID

import proxy
from proxy.config_listening import Dimse
from proxy.deid.repertoire import _CODECS
from proxy.dimse import contexts, deadline, message, outgoing, pool, query_models, query_status, scu, status
from proxy.dimse import query_service as queries
from proxy.dimse.finding import STUDY_ROOT_FIND
from proxy.dimse.getting import STUDY_ROOT_GET
from proxy.dimse.moving import STUDY_ROOT_MOVE
from proxy.dimse.query_identifier import SYNTAXES as QUERY_SYNTAXES
from proxy.dimse.relay import MPPS, WORKLIST
from proxy.dimse.reporting import SOP_CLASS as COMMITMENT
from proxy.dimse.reporting import SYNTAXES as COMMITMENT_SYNTAXES
from proxy.dimse.services import Verification
from proxy.errors import MALFORMED_REASONS
from proxy.wire import negotiation
from proxy.wire.associate_read import APPLICATION_CONTEXT, MOST_CONTEXTS
from tests.dimse.conformance_words import CHARACTER_SETS, QUERY_STATUSES, REJECTIONS
from tests.tables import filled

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "dicom-conformance.md"
_STANDARD = ROOT / "rules" / "standard"
_IMPLICIT = (contexts.IMPLICIT_VR_LITTLE_ENDIAN,)


def _rows(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return lines + [f"| {' | '.join(map(str, row))} |" for row in rows]


def _read(name: str) -> list[dict[str, str]]:
    with (_STANDARD / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def services() -> list[str]:
    """A row for each SOP class but those of storage."""
    rows: list[tuple[str, str, str, Iterable[str]]] = [
        (
            Verification.SOP_CLASS,
            "C-ECHO",
            "proposed beside storage, not used",
            Verification().syntaxes(Verification.SOP_CLASS) or (),
        )
    ]
    asked = {STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE}
    for name, models in (("FIND", query_models.FIND), ("MOVE", query_models.MOVE), ("GET", query_models.GET)):
        rows += [
            (uid, f"C-{name}", f"C-{name}, of upstreams" if uid in asked else "no", QUERY_SYNTAXES) for uid in models
        ]
    rows.append((COMMITMENT, "N-ACTION, N-EVENT-REPORT", "no", COMMITMENT_SYNTAXES))
    rows.append((WORKLIST, "C-FIND, relayed", "C-FIND, relayed", _IMPLICIT))
    rows.append((MPPS, "N-CREATE, N-SET, relayed", "N-CREATE, N-SET, relayed", _IMPLICIT))
    named = ((UID(uid).name, uid, scp, user, ", ".join(UID(s).name for s in found)) for uid, scp, user, found in rows)
    return _rows(("SOP class", "UID", "as SCP", "as SCU", "transfer syntaxes"), named)


def storage() -> list[str]:
    """A row for each storage SOP class: C-STORE as SCP and as SCU."""
    known = [
        row for row in _read("sop-classes-burned-in-risk.csv") if row["sop_class_uid"] in contexts.STORAGE_SOP_CLASSES
    ]
    assert len(known) == len(contexts.STORAGE_SOP_CLASSES)
    return _rows(("SOP class", "UID"), ((row["name"], row["sop_class_uid"]) for row in known))


def syntaxes() -> list[str]:
    """A row for each transfer syntax."""
    names = {row["uid"]: row["name"] for row in _read("transfer-syntaxes.csv")}
    return _rows(("transfer syntax", "UID"), ((names[uid], uid) for uid in contexts.TRANSFER_SYNTAXES))


def policy() -> list[str]:
    """What an association may be, and how long it may take."""
    dimse = Dimse()
    return _rows(
        ("", ""),
        [
            ("Implementation Class UID", proxy.IMPLEMENTATION_CLASS_UID),
            ("Implementation Version Name", proxy.IMPLEMENTATION_VERSION_NAME),
            ("application context", APPLICATION_CONTEXT),
            ("presentation contexts in one association", MOST_CONTEXTS),
            ("associations at the same time, as acceptor", f"{dimse.associations} (`dimse.associations`)"),
            ("largest PDU that is received", f"{dimse.max_pdu} bytes (`dimse.max_pdu`)"),
            ("largest PDU that is sent", f"what the peer announces, {outgoing._LARGEST_PDU} bytes at most"),
            ("ARTIM; a complete A-ASSOCIATE-RQ", f"{deadline.FIRST_PDU_SECONDS:g} s"),
            ("ARTIM after our last word", f"{deadline.LAST_SECONDS:g} s"),
            ("a silent association is aborted", f"{dimse.idle_seconds} s (`dimse.idle_seconds`)"),
            ("least rate of a message, after that time", f"{deadline.BYTES_PER_SECOND} bytes/s"),
            ("largest data set but of C-STORE", f"{message.DATA_BYTES} bytes"),
            ("largest instance", "`limits.instance_bytes`; a larger one is answered A700"),
            ("asynchronous operations, as acceptor", "1 invoked, 1 performed"),
            ("asynchronous operations, as Storage SCU", f"{scu.WINDOW} invoked, 1 performed are proposed"),
            ("associations to one destination", "`associations` of it"),
            ("an association without work is released, as requestor", f"after {pool.IDLE_SECONDS:g} s"),
            ("pending responses of C-MOVE and C-GET, at the least", f"every {queries.BEAT:g} s"),
        ],
    )  # fmt: skip


def rejections() -> list[str]:
    """Every A-ASSOCIATE-RJ that is sent."""
    made = [value for value in vars(negotiation).values() if isinstance(value, negotiation.Rejection)]
    rows = sorted((each.result, each.source, each.reason) for each in made)
    return _rows(("result", "source", "reason", "when"), ((*row, REJECTIONS[row]) for row in rows))


def negotiated() -> list[str]:
    """SOP class extended negotiation (PS3.4 C.5): what everything is answered."""
    find = ("relational queries", "date and time together", "fuzzy matching of names", "time zone adjustment")
    multiframe = ("enhanced multi-frame image conversion",)
    rows = []
    for of, names in (("C-FIND", find + multiframe), ("C-MOVE, C-GET", ("relational retrieval", *multiframe))):
        answer = query_models.answered(b"\1" * len(names)) or b""
        said = ["yes" if each else "no" for each in answer]
        rows += [(of, *row) for row in zip(range(1, len(names) + 1), names, said, strict=True)]
    return _rows(("of", "byte", "what", "answer"), rows)


def stored() -> list[str]:
    """What the sender of an instance hears."""
    fixed = (
        status.STORED,
        status.UNAVAILABLE,
        status.NO_MEMORY,
        status.TOO_LARGE,
        status.FAILED,
        status.NOT_AUTHORISED,
    )
    rows = [(f"{each.status:04X}", each.comment or "stored; or held, where the project answers so") for each in fixed]
    for reason, number in status.STATUS_BY_REASON.items():
        always = "always" if reason in MALFORMED_REASONS else "`held_answer: refuse`"
        rows.append((f"{number:04X}", f"held: {reason} ({always})"))
    return _rows(("status", "comment"), sorted(rows))


def delivered() -> list[str]:
    """What the answer of a destination means."""
    words = {
        None: "delivered",
        status.DeliveryTransient: "sent again",
        status.DestinationRefuses: "the destination is at fault: its queue waits",
        status.InstanceRejected: "the instance is at fault: tried three times, then put aside",
    }
    ranges = [
        (f"{low:04X}" + (f"-{high:04X}" if high != low else ""), words[kind]) for low, high, kind in status.MEANING
    ]
    ranges[-1] = ("every other", ranges[-1][1])
    return _rows(("status", "meaning"), ranges)


def queried() -> list[str]:
    """Statuses of C-FIND, C-MOVE and C-GET."""
    numbers = {name: value for name, value in vars(query_status).items() if name.isupper() and isinstance(value, int)}
    rows = sorted((f"{value:04X}", QUERY_STATUSES[name]) for name, value in numbers.items())
    return _rows(("status", "when"), rows)


def charsets() -> list[str]:
    """The defined terms of Specific Character Set that are read, without and with code extensions."""
    known = {CHARACTER_SETS[term]: term for term in _CODECS}
    return [", ".join(sorted(known)) + "."]


TABLES: dict[str, Callable[[], list[str]]] = {
    "services": services,
    "storage": storage,
    "syntaxes": syntaxes,
    "policy": policy,
    "rejections": rejections,
    "negotiated": negotiated,
    "stored": stored,
    "delivered": delivered,
    "queried": queried,
    "charsets": charsets,
}


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), TABLES), encoding="utf-8")
