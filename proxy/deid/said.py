"""The gate's look at what an output says of itself, and at what the report says of it: no more than is so.

PS3.15 E.1.1: markers, method codes, identity. Pure; raises `InstanceHeld`.
"""

from __future__ import annotations

from proxy.deid.allowed_encrypted import ENCRYPTED_ATTRIBUTES_SEQUENCE, ENCRYPTED_CONTENT
from proxy.deid.assembly import Output
from proxy.deid.identifiers import stripped
from proxy.deid.profile import Policy
from proxy.deid.types import Report
from proxy.deid.view import View, ViewLevel
from proxy.errors import InstanceHeld, Reason

#: (0012,0062) Patient Identity Removed, (0028,0303) Longitudinal Temporal Information Modified, and the method codes
_IDENTITY_REMOVED, _LONGITUDINAL, _METHOD_CODES, CODE_VALUE = 0x00120062, 0x00280303, 0x00120064, 0x00080100
_SOP_CLASS, _SOP_INSTANCE, _PATIENT_ID = 0x00080016, 0x00080018, 0x00100020
_REPORTED = {
    _SOP_CLASS: "sop_class_uid",
    _SOP_INSTANCE: "sop_instance_uid",
    _PATIENT_ID: "patient_id",
    0x0020000D: "study_instance_uid",
    0x0020000E: "series_instance_uid",
    0x00080020: "study_date",
    0x00080060: "modality",
}
_NEEDED = frozenset(_REPORTED) - {0x00080020, 0x00080060}
_LONGEST = 128


class Said:
    """The data set of an output, as it describes itself."""

    def __init__(self, view: View) -> None:
        self.root = ViewLevel(view)

    def text(self, tag: int) -> str:
        """An unpadded value at the top level, "" where there is none or it has items."""
        return bytes(self.root.bytes_of(tag)[:_LONGEST]).decode("latin_1").strip(" \0")

    def methods(self) -> set[bytes]:
        """The code values of (0012,0064) De-identification Method Code Sequence."""
        values = self.root.values_below(_METHOD_CODES, CODE_VALUE)
        return {code for value in values if (code := stripped(value))}


def check_markers(said: Said, methods: set[bytes], output: Output, policy: Policy) -> None:
    """An output says that it was de-identified and how, and is what its file meta information says."""
    wanted = {
        _IDENTITY_REMOVED: "YES",
        _LONGITUDINAL: policy.longitudinal,
        _SOP_CLASS: output.sop_class_uid,
        _SOP_INSTANCE: output.sop_instance_uid,
    }
    for tag, value in wanted.items():
        if tag not in said.root or said.text(tag) != value:
            raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "a marker or identity of the output is wrong", tag)
    if not methods.issuperset(code.encode("ascii") for code, _ in policy.methods):
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "the method codes do not name the profile", _METHOD_CODES)
    envelopes = [len(item.bytes_of(ENCRYPTED_CONTENT)) > 0 for item in said.root.below(ENCRYPTED_ATTRIBUTES_SEQUENCE)]
    there = ENCRYPTED_ATTRIBUTES_SEQUENCE in said.root
    if there is not bool(policy.recipients) or envelopes != [True] * there:
        why = "originals are encrypted exactly where the project says so"
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, why, ENCRYPTED_ATTRIBUTES_SEQUENCE)
    if not said.text(_PATIENT_ID):
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "the output has no Patient ID", _PATIENT_ID)


def check_report(said: Said, report: Report) -> None:
    """The report is logged and audited: it may say nothing that the output, which was searched, does not say."""
    for tag, name in _REPORTED.items():
        value = getattr(report, name)
        if value != said.text(tag) and (value or tag in _NEEDED):
            raise InstanceHeld(Reason.ENGINE_ERROR, f"the report does not describe the output: {name}", tag)
