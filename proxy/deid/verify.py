"""The gate: an independent second reading of what the engine made. Only this module constructs a `Release`.

It shares no code path with the engine: raw tokens of input and output, Python's codecs, and the rows of the profile,
instead of pydicom's data set. What it cannot read, or what holds an identifier of the input or an element that the
profile does not allow, is held. A `Release` carries a MAC under a key of this run: one made elsewhere admits nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from proxy.deid.allowed import CLASS_UIDS, CONSTANTS, Rules, is_pseudonym
from proxy.deid.allowed_documents import is_dummied
from proxy.deid.allowed_encrypted import ENCRYPTED_ATTRIBUTES_SEQUENCE
from proxy.deid.assembly import Output, read_output
from proxy.deid.documents import CONSTANTS as DOCUMENTS
from proxy.deid.identifiers import IDENTIFYING, Source, collect, stripped
from proxy.deid.markers import methods as stated_methods
from proxy.deid.original import OriginalView
from proxy.deid.profile import Policy
from proxy.deid.reading import PIXEL_DATA, Leaf, known_vr, leaves
from proxy.deid.scanner import Encoding, scan_table, sequence_tags
from proxy.deid.search import Search
from proxy.deid.tokens import inflate, read_part10
from proxy.deid.types import Deidentified, Report
from proxy.deid.witness import CLEAN_PIXELS, check_claims, check_pixels, is_told
from proxy.errors import MALFORMED_REASONS, InstanceHeld, Reason

KEY_BYTES = 32
#: (0012,0062) Patient Identity Removed, (0028,0303) Longitudinal Temporal Information Modified, and the method codes
_IDENTITY_REMOVED, _LONGITUDINAL, _METHOD_CODES, _CODE_VALUE = 0x00120062, 0x00280303, 0x00120064, 0x00080100
_BURNED_IN = 0x00280301
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
_BULK_VRS = frozenset({"", "OB", "OW", "OD", "OF", "OL", "OV"})


@dataclass(frozen=True, slots=True)
class Release:
    """What lets bytes leave: their SHA-256 and length, under a MAC that only a `Gate` of this run can make."""

    sha256: str
    size: int
    mac: bytes


class Gate:
    """Holds this run's key; it is given to workers, which verify, and to the spool, which admits."""

    def __init__(self, key: bytes) -> None:
        """``key`` 32 random bytes, made at each start and never stored."""
        if len(key) != KEY_BYTES:
            raise ValueError("a gate's key has 32 bytes")
        self._key = key

    def __repr__(self) -> str:
        return "Gate(<key>)"

    def verify(self, data: memoryview, result: Deidentified, policy: Policy) -> Release:
        """Read input and output again; raises `InstanceHeld` unless nothing at all is wrong with the output."""
        source = _read_input(data, policy)
        try:
            output = read_output(data, result.chunks, policy.transfer_syntaxes, policy.limits, result.work.chunks)
            _judge(output, source, policy, result)
        except InstanceHeld as held:
            if held.reason in MALFORMED_REASONS:
                raise InstanceHeld(Reason.OUTPUT_UNREADABLE, held.detail, held.tag) from None
            raise
        return Release(output.sha256, output.size, self._mac(output.sha256, output.size))

    def admits(self, release: Release) -> bool:
        """Whether ``release`` came from a gate with this key."""
        return hmac.compare_digest(release.mac, self._mac(release.sha256, release.size))

    def _mac(self, sha256: str, size: int) -> bytes:
        return hmac.digest(self._key, f"veil/release/v1 {sha256} {size}".encode(), "sha256")


def _read_input(data: memoryview, policy: Policy) -> Source:
    head = read_part10(data)
    syntax = policy.transfer_syntaxes.get(head.transfer_syntax_uid)
    if syntax is None:
        raise InstanceHeld(Reason.UNKNOWN_TRANSFER_SYNTAX, "this transfer syntax is not handled", 0x00020010)
    body, start = data, head.dataset_offset
    if syntax.deflated:
        body, start = memoryview(inflate(data, start, policy.limits)), 0
    encoding = Encoding(syntax.implicit, syntax.little, _sequences(policy))
    view = OriginalView(body, scan_table(body, start, encoding, policy.limits).table, _vr_of(policy))
    source = collect(view.candidates(IDENTIFYING), CLASS_UIDS)
    source.elements, source.mentions = view.leaves, view.mentions
    source.without = lambda tags: collect(_but(view.candidates(IDENTIFYING), tags), CLASS_UIDS)
    return source


def _but(leaves_: Iterable[Leaf], tags: Set[int]) -> Iterator[Leaf]:
    """Leaves that neither are one of ``tags`` nor stand in one."""
    return (leaf for leaf in leaves_ if tags.isdisjoint((leaf.tag, *leaf.path[::2])))


@lru_cache(maxsize=64)
def _sequences(policy: Policy) -> NDArray[np.int64]:
    return sequence_tags(tag for tag, vr in policy.vrs.items() if vr == "SQ")


def _judge(output: Output, source: Source, policy: Policy, result: Deidentified) -> None:
    report, work = result.report, result.work
    rules, search = Rules(policy, source), _Searches(policy, source, report.patient_id)
    every = _all_leaves(output, policy)
    tops: dict[int, str] = {}
    methods: set[bytes] = set()
    for leaf in every:
        if not (work.areas or work.recoded) or not is_told(leaf, work):
            rules.check(leaf)
        try:
            remains = search.in_bulk(leaf) if leaf.tag in PIXEL_DATA else search.finds(leaf, rules)
        except ValueError:  # UnicodeDecodeError is one, and quotes the value
            raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "text is not in its character set", leaf.tag) from None
        if remains:
            where = f"({leaf.tag >> 16:04X},{leaf.tag & 0xFFFF:04X}) holds an identifier of the input"
            raise InstanceHeld(Reason.IDENTIFIER_REMAINS, where, leaf.tag)
        if not leaf.path:
            tops[leaf.tag] = bytes(leaf.value[:128]).decode("latin_1").strip(" \0")
        elif leaf.tag == _CODE_VALUE and leaf.path[0] == _METHOD_CODES and len(leaf.path) == 2:
            methods.add(stripped(leaf.value))
    _check_markers(tops, methods, output, policy)
    _check_report(tops, report)
    check_pixels(every, output.syntax, work)
    said = b"NO" if is_dummied(policy.documents, output.sop_class_uid) else stripped(source.at((), _BURNED_IN))
    came = (said.decode("latin_1"), CLEAN_PIXELS in source.values(_CODE_VALUE))
    check_claims(tops.get(_BURNED_IN, ""), methods, came, work)


class _Searches:
    """The search of everything, and where an option retains an attribute the one that leaves such attributes out.

    Under rtn_uids UIDs tell nothing that the option does not let out; which ones may stay is for the rules.
    """

    def __init__(self, policy: Policy, source: Source, patient_id: str) -> None:
        self._source, self._constant = source, _constant(policy, source, patient_id)
        self._uids = "rtn_uids" not in policy.options
        self._every = self._search(source)
        self._others: Search | None = None

    def finds(self, leaf: Leaf, rules: Rules) -> bool:
        """As `Search.finds`."""
        if not self._every.finds(leaf):
            return False
        if not rules.retains(leaf):
            return True
        if self._others is None:
            self._others = self._search(self._source.without(rules.retained))
        return self._others.finds(leaf)

    def in_bulk(self, leaf: Leaf) -> bool:
        """As `Search.in_bulk`; what an option retains has no business in pixel data either."""
        return self._every.in_bulk(leaf.value)

    def _search(self, source: Source) -> Search:
        return Search(source if self._uids else replace(source, uids=set()), self._constant)


def _all_leaves(output: Output, policy: Policy) -> list[Leaf]:
    every = list(leaves(output.body, output.tokens, _vr_of(policy)))
    for token, value in output.bulk:
        if token.vr not in _BULK_VRS:
            raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "a slice that is not bulk data", token.tag)
        known = _vr_of(policy)(token.tag)
        every.append(Leaf(token.tag, token.vr or known, known, (), value, token.offset, "latin_1"))
    tops = [leaf.tag for leaf in every if not leaf.path]
    if len(set(tops)) != len(tops):
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "an element occurs twice")
    return every


def _check_markers(tops: dict[int, str], methods: set[bytes], output: Output, policy: Policy) -> None:
    """PS3.15 E.1.1: an output says that it was de-identified and how, and is what its file meta information says."""
    wanted = {
        _IDENTITY_REMOVED: "YES",
        _LONGITUDINAL: policy.longitudinal,
        _SOP_CLASS: output.sop_class_uid,
        _SOP_INSTANCE: output.sop_instance_uid,
    }
    for tag, value in wanted.items():
        if tops.get(tag) != value:
            raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "a marker or identity of the output is wrong", tag)
    if not methods.issuperset(code.encode("ascii") for code, _ in policy.methods):
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "the method codes do not name the profile", _METHOD_CODES)
    if (ENCRYPTED_ATTRIBUTES_SEQUENCE in tops) is not bool(policy.recipients):
        why = "originals are encrypted exactly where the project says so"
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, why, ENCRYPTED_ATTRIBUTES_SEQUENCE)
    if not tops.get(_PATIENT_ID):
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "the output has no Patient ID", _PATIENT_ID)


def _check_report(tops: dict[int, str], report: Report) -> None:
    """The report is logged and audited: it may say nothing that the output, which was searched, does not say."""
    for tag, name in _REPORTED.items():
        value = getattr(report, name)
        if value != tops.get(tag, "") and (value or tag in _NEEDED):
            raise InstanceHeld(Reason.ENGINE_ERROR, f"the report does not describe the output: {name}", tag)


def _vr_of(policy: Policy) -> Callable[[int], str]:
    return lambda tag: policy.vrs.get(tag) or known_vr(tag)


def _constant(policy: Policy, source: Source, patient_id: str) -> Callable[[bytes], bool]:
    """Values that say nothing about the input: dummies, method codes, and the pseudonym (random letters may spell)."""
    constants = set(CONSTANTS) | set(DOCUMENTS) | {text.encode("ascii") for pair in policy.methods for text in pair}
    constants.update(value.encode("ascii") for value in stated_methods(policy))
    if is_pseudonym(patient_id, policy.patient_id_prefix):
        pseudonym = patient_id.encode("ascii")
        if not source.mentions(pseudonym):
            constants.add(pseudonym)
    return constants.__contains__
