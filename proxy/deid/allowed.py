"""The gate's own reading of the profile: may this element stand in an output, and may it have this value?

Decides from the rows (tag, action code, VR) and the profile's words that the policy carries, never with the engine's
resolution of them: where the table leaves a choice, any of its outcomes passes, but no value that is not ours does.
Pure; refuses with `ELEMENT_NOT_ALLOWED`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache

from pydicom._dicom_dict import DicomDictionary

from proxy.deid import dummies
from proxy.deid.allowed_content import ContentCheck
from proxy.deid.allowed_dates import BIRTH, DateCheck
from proxy.deid.allowed_documents import ABOUT_DOCUMENTS, DocumentCheck
from proxy.deid.allowed_encrypted import ABOUT_ORIGINALS, ENCRYPTED_ATTRIBUTES_SEQUENCE, EnvelopeCheck
from proxy.deid.allowed_private import PrivateRules
from proxy.deid.allowed_rules import RuleCheck
from proxy.deid.identifiers import CHARSET_VRS, CLASS_UIDS, comparable, stripped
from proxy.deid.original import Source
from proxy.deid.profile import Policy
from proxy.deid.pseudonym import CROCKFORD, check_character, is_standard_uid
from proxy.deid.reading import PIXEL_DATA, Leaf, Path
from proxy.errors import InstanceHeld, Reason

_TEMPORAL = frozenset({"DA", "DT", "TM"})
#: Patient's Name and Patient ID: all other values become empty or a dummy
_PSEUDONYMS = frozenset({0x00100010, 0x00100020})
_TEXT = CHARSET_VRS | {"AE", "UR"}
_SOP_CLASS = 0x00080016
_CROCKFORD = frozenset(CROCKFORD)
#: (0040,A124) UID of a content item
_UID_OF_AN_ITEM = 0x0040A124
#: options whose C on a text means that words of it may stay
_TEXT_CLEANING = ("clean_desc", "clean_graph", "rtn_pat_chars", "rtn_dev_id")
_STRINGS = _TEXT | _TEMPORAL | {"AS", "CS", "DS", "IS", "UI"}
_TM = re.compile(rb"[0-2][0-9](:?[0-5][0-9](:?[0-6][0-9](\.[0-9]{1,6})?)?)?")
#: values that stand for a removed one; an original that is one already may stay (a second pass changes nothing)
CONSTANTS = frozenset(value.strip(b" \0") for value in dummies.BY_VR.values()) | {
    b"", b"COERCE", b"+0000", b"99VEIL", b"Removed", b"DCM",
}  # fmt: skip


class Rules:
    """One policy over one pair of input and output. Ask in document order."""

    def __init__(self, policy: Policy, source: Source) -> None:
        self._policy = policy
        self._source = source
        #: attributes that an option keeps as they are (K): there their own value is no identifier
        self.retained = _retained(policy)
        self._private = PrivateRules(policy.safe_private, source) if policy.safe_private is not None else None
        self._content = ContentCheck(policy.content, set(policy.options)) if "clean_struct" in policy.options else None
        self._dates = DateCheck(policy.dates, source.at, source.had)
        self._ruled = RuleCheck(policy.rules, source, source.had, policy.moves) if policy.rules else None
        self._envelope = EnvelopeCheck(policy.recipients)
        #: values that have the form of a pseudonym: the same few stand in many places
        self._pseudonyms: set[bytes] = set()
        #: sequences whose content must be another than it was
        self._replaced: set[Path] = set()

    @cached_property
    def _documents(self) -> DocumentCheck:
        return DocumentCheck(self._policy.documents, self._source.at((), _SOP_CLASS).decode("latin_1"))

    def check(self, leaf: Leaf) -> None:
        """Raises for an element that may not be there, or not with this value."""
        group, code = leaf.tag >> 16, self._policy.codes.get(leaf.tag)
        if leaf.tag in ABOUT_ORIGINALS or leaf.path[:1] == (ENCRYPTED_ATTRIBUTES_SEQUENCE,):
            if not self._envelope.allows(leaf):
                raise _refusal(leaf, "encrypted attributes that are not ours")
            return
        if group & 1 and group > 0x0008 and self._private is not None:
            self._check_private(leaf, self._private.judged_by(leaf), self._private.creator_of(leaf))
            return
        if group & 1 or group < 0x0008 or not leaf.tag & 0xFFFF or group & 0xFF00 in (0x5000, 0x6000):
            raise _refusal(leaf, "private, outside a data set, a group length, a curve or an overlay")
        if not _fits(leaf) or (leaf.tag in PIXEL_DATA and leaf.path):
            raise _refusal(leaf, "of another kind than PS3.6 says, or pixel data inside a sequence")
        document = self._documents.verdict(leaf) if leaf.tag in ABOUT_DOCUMENTS else None
        if document is False:
            raise _refusal(leaf, "not of the dummy document")
        if document:
            return
        vr = leaf.vr if code is None else self._policy.vrs[leaf.tag]
        ruled = self._ruled.verdict(leaf, vr) if self._ruled is not None else None
        if ruled is False:
            raise _refusal(leaf, "a rule of the profile removes it")
        if ruled:
            return
        if code is None:
            self._check_unlisted(leaf)
        else:
            self._check_listed(leaf, code)
        if self._content is not None and self._content.refuses(leaf):
            raise _refusal(leaf, "a content item that Table E.3.4-1 removes")
        if self._replaced and leaf.vr in _TEXT and self._inside_replaced(leaf.path):
            self._must_be_new(leaf, "in a sequence to be replaced")

    def looks_inside(self, leaf: Leaf) -> bool:
        """Whether all that stands in this sequence has to be asked about, after the sequence itself."""
        return leaf.tag == ENCRYPTED_ATTRIBUTES_SEQUENCE or (*leaf.path, leaf.tag) in self._replaced

    def _check_private(self, leaf: Leaf, vr: str, creator: str) -> None:
        if not vr:
            raise _refusal(leaf, "private, and nothing says that it is safe as what it is")
        if creator and self._ruled is not None and (ruled := self._ruled.verdict(leaf, vr, creator)) is not None:
            if not ruled:
                raise _refusal(leaf, "a rule of the profile removes it")
            return
        if vr == "UI" and not ("rtn_uids" in self._policy.options and self._source.had(leaf)):
            self._check_uid(leaf)
        if vr in _TEMPORAL or (vr == "AS" and self._policy.dates is not None):
            self._check_unlisted_date(leaf, vr)

    def _check_unlisted(self, leaf: Leaf) -> None:
        if leaf.tag not in DicomDictionary:
            raise _refusal(leaf, "unknown to PS3.6 and to the profile")
        if leaf.vr == "SQ":
            return
        unlisted = self._policy.unlisted
        words = {unlisted.attributes.get(leaf.tag) or unlisted.by_vr.get(vr, "remove") for vr in _vrs(leaf)}
        if "remove" in words:
            raise _refusal(leaf, "not listed, and its VR is to be removed")
        if "remap" in words and not ("rtn_uids" in self._policy.options and self._source.had(leaf)):
            self._check_uid(leaf)
        if "shift" in words or (leaf.known == "AS" and self._policy.dates is not None):
            self._check_unlisted_date(leaf, leaf.known)

    def _check_unlisted_date(self, leaf: Leaf, vr: str) -> None:
        options = self._policy.options
        if self._policy.dates is not None:
            self._check_dated(leaf, vr)
        elif "rtn_long_modif" in options:
            self._check_moved(leaf, vr)
        elif "rtn_long_full" not in options or not self._source.had(leaf):
            raise _refusal(leaf, "not listed, and no option retains dates")

    def _check_listed(self, leaf: Leaf, code: str) -> None:
        cells = self._policy.cells.get(leaf.tag, {})
        if leaf.tag in BIRTH and self._dates.allows_birth(leaf):
            return
        if cells and self._option_allows(leaf, cells):
            return
        if code == "X" and leaf.tag not in self._policy.iod.required:
            raise _refusal(leaf, "to be removed (X)")
        if leaf.tag == _UID_OF_AN_ITEM and {"rtn_uids", "clean_struct"} <= set(self._policy.options):
            return  # Table E.3.4-1: UIDREF content items under Retain UIDs
        if code == "U" or leaf.vr == "UI":
            self._check_uid(leaf)
        elif leaf.vr == "SQ":
            if code != "X/Z/U*":
                self._replaced.add((*leaf.path, leaf.tag))
        elif leaf.tag in _PSEUDONYMS and self._is_pseudonym(stripped(leaf.value)):
            self._must_be_new(leaf, code)
        elif not all(value.strip(b" \0") in CONSTANTS for value in stripped(leaf.value).split(b"\\")):
            raise _refusal(leaf, f"neither empty nor a dummy value ({code})")

    def _option_allows(self, leaf: Leaf, cells: Mapping[str, str]) -> bool:
        """K: the value that came, or a sequence to look into. C, the stricter where both meet: by what is cleaned."""
        kept = "C" not in cells.values()
        if leaf.vr == "SQ":
            return True
        if self._policy.dates is not None and (leaf.vr in _TEMPORAL or leaf.vr == "AS"):
            return self._dates.allows(leaf, leaf.known)
        if kept or leaf.vr in ("AE", "CS"):
            return self._source.had(leaf)
        if leaf.vr in _TEMPORAL and cells.get("rtn_long_modif") == "C":
            self._check_moved(leaf, leaf.known)
            return True
        # what a cleaned text may still say is for the search
        return leaf.vr in CHARSET_VRS and any(cells.get(option) == "C" for option in _TEXT_CLEANING)

    def _check_dated(self, leaf: Leaf, vr: str) -> None:
        if not self._dates.allows(leaf, vr):
            raise _refusal(leaf, "not as the profile says of dates, times and ages")

    def retains(self, leaf: Leaf) -> bool:
        """Whether an option keeps this very attribute, or the sequence that it stands in, as it is."""
        return not self.retained.isdisjoint((leaf.tag, *leaf.path[::2]))

    def _check_uid(self, leaf: Leaf) -> None:
        if leaf.tag in CLASS_UIDS:
            return
        for value in (part.strip(b" \0").decode("latin_1") for part in bytes(leaf.value).split(b"\\")):
            if not value or is_standard_uid(value):
                continue
            if not _is_own_uid(value):
                raise _refusal(leaf, "a UID that is neither the standard's nor a pseudonym")
            if value in self._source.identifiers.uids:
                raise _refusal(leaf, "an original UID")

    def _check_moved(self, leaf: Leaf, vr: str) -> None:
        """PS3.15 E.3.6: moved by whole days, so a time stays and a date never does."""
        values, before = stripped(leaf.value).split(b"\\"), self._source.at(leaf.path, leaf.tag).split(b"\\")
        for index, value in enumerate(part.strip() for part in values):
            if vr == "TM" and value and _TM.fullmatch(value) is None:
                raise _refusal(leaf, "is not a time")
            if vr != "TM" and value not in CONSTANTS and before[index : index + 1] == [value]:
                raise _refusal(leaf, "has its original date")

    def _must_be_new(self, leaf: Leaf, why: str) -> None:
        """Not a value that this attribute had anywhere in the input, unless it is one of our constants."""
        value = comparable(leaf)
        if value not in CONSTANTS and (
            value in self._source.values(leaf.tag)
            or (len(value) > 1024 and value == self._source.at(leaf.path, leaf.tag))
        ):
            raise _refusal(leaf, f"has its original value ({why})")

    def _is_pseudonym(self, value: bytes) -> bool:
        if value not in self._pseudonyms and is_pseudonym(value.decode("latin_1"), self._policy.patient_id_prefix):
            self._pseudonyms.add(value)
        return value in self._pseudonyms

    def _inside_replaced(self, path: Path) -> bool:
        return any(path[:length] in self._replaced for length in range(1, len(path), 2))


@lru_cache(maxsize=64)
def _retained(policy: Policy) -> frozenset[int]:
    return frozenset(tag for tag, cells in policy.cells.items() if set(cells.values()) == {"K"})


def _vrs(leaf: Leaf) -> set[str]:
    """All VRs that the element could be read with: as written, and as PS3.6 says."""
    return {*leaf.vr.split(" or "), *leaf.known.split(" or ")}


def _fits(leaf: Leaf) -> bool:
    """Text stays text, numbers stay numbers and sequences stay sequences."""
    if leaf.known == "UN":  # PS3.6 does not say; the rules decide on the tag
        return True
    return (leaf.vr == "SQ") == (leaf.known == "SQ") and (leaf.vr in _STRINGS) == (leaf.known in _STRINGS)


def is_pseudonym(value: str, prefix: str) -> bool:
    """Whether ``value`` has the form of a pseudonymous Patient ID: see docs/pseudonyms.md."""
    body = value.removeprefix(prefix)
    return len(body) == 17 and _CROCKFORD.issuperset(body) and check_character(body[:16]) == body[16]


def _is_own_uid(value: str) -> bool:
    number = value.removeprefix("2.25.")
    return number != value and number.isdecimal() and len(number) <= 39 and int(number) >> 76 & 0xF == 8


def _refusal(leaf: Leaf, why: str) -> InstanceHeld:
    return InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, f"({leaf.tag >> 16:04X},{leaf.tag & 0xFFFF:04X}) {why}", leaf.tag)
