"""What the policy says about one attribute: an action, the rule that says so, and what happens where it cannot apply.

Precedence (PS3.15 E.1.1): a site's rule, then the options, then the row of Table E.1-1; between two options with K and
C on one cell C wins, for it is the stricter. Decides by tag number and VR only, never by value. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from proxy.deid.date_pairs import BIRTH_DATE, BIRTH_TIME
from proxy.deid.iod import X_UNLESS_REQUIRED
from proxy.deid.profile import Policy
from proxy.deid.unlisted import unlisted_word

#: rows with C under clean_struct whose items are no content items (PS3.3 C.17.3) themselves: they are walked into
_NO_CONTENT_ITEMS = frozenset({0x00400610, 0x0040B020})
#: content items that no row names: Specimen Preparation Step Content Item Sequence
_CONTENT_ITEMS = frozenset({0x00400612})
TEMPORAL = frozenset({"DA", "DT", "TM"})
ENCRYPTED_ATTRIBUTES_SEQUENCE = 0x04000500
#: VRs of free text (PS3.5 6.2) that a cleaner reads; AE and CS are cleaned as a whole: they stay or they go
FREE_TEXT = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_WHOLE = frozenset({"AE", "CS"})
_SECTIONS = {
    "rtn_uids": "E.3.9", "rtn_dev_id": "E.3.8", "rtn_inst_id": "E.3.11", "rtn_pat_chars": "E.3.7",
    "rtn_long_full": "E.3.6", "rtn_long_modif": "E.3.6", "clean_desc": "E.3.5", "clean_struct": "E.3.4",
    "clean_graph": "E.3.3", "rtn_safe_priv": "E.3.10",
}  # fmt: skip
BASIC = "E.2"


@dataclass(frozen=True, slots=True)
class Decision:
    """``action``: a code of Table E.1-1 or a word of the walk. ``otherwise``: where a value does not allow it."""

    action: str
    rule: str
    section: str = ""
    otherwise: Decision | None = None
    #: what the action needs to know: a constant, a precision
    argument: str = ""


class Decider:
    """One policy's decisions, each made once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._listed: dict[int, Decision | None] = {}
        self._unlisted: dict[tuple[int, str, bool], tuple[Decision, str]] = {}

    def listed(self, tag: int) -> Decision | None:
        """For a row of Table E.1-1, masked ones too; None where no row names ``tag``."""
        if tag not in self._listed:
            code = self._policy.code(tag)
            row = self._row(tag, code) if code else None
            self._listed[tag] = _SEALED if tag == ENCRYPTED_ATTRIBUTES_SEQUENCE else row
        return self._listed[tag]

    def unlisted(self, tag: int, stated: str, little: bool) -> tuple[Decision, str]:
        """For what no row names, encoded with VR ``stated`` ("" in implicit VR); and the VR to read it by."""
        key = (tag, stated, little)
        if key not in self._unlisted:
            word, vr = unlisted_word(self._policy, tag, stated, little)
            self._unlisted[key] = self._default(tag, word, vr), vr
        return self._unlisted[key]

    def is_content(self, tag: int) -> bool:
        """Whether ``tag`` holds content items that this policy cleans, though no row names it."""
        return tag in _CONTENT_ITEMS and "clean_struct" in self._policy.options

    def _row(self, tag: int, code: str) -> Decision:
        required = code == "X" and tag in self._policy.iod.required
        basic = Decision(X_UNLESS_REQUIRED if required else code, f"E.1-1 {code}", BASIC)
        dates = self._policy.dates
        word = dates.birth_date if dates is not None else "remove"
        if dates is not None and ((tag == BIRTH_DATE and word != "remove") or (tag == BIRTH_TIME and word == "keep")):
            return Decision("date", f"profile dates birth_date {dates.birth_date}", "", basic)
        cells = self._policy.cells.get(tag, {})
        if not cells:
            return basic
        word = "C" if "C" in cells.values() else "K"
        chosen = sorted(option for option, cell in cells.items() if cell == word)
        vr = self._policy.vrs[tag]
        for option in chosen:
            action = _kept(vr) if word == "K" else _cleaned(vr, option)
            if action in ("shift", "keep_date") and self._policy.dates is not None:
                action = "date"
            if action == "keep" and vr == "AS" and self._policy.dates is not None:
                action = "date"
            if action == "content" and tag in _NO_CONTENT_ITEMS:
                action = "R"
            if action:
                return Decision(action, f"option {option} {word}", _SECTIONS[option], basic)
        return basic

    def _default(self, tag: int, word: str, vr: str) -> Decision:
        options = self._policy.options
        if word == "walk" and self.is_content(tag):
            walked = Decision("R", "profile unlisted SQ walk")
            return Decision("content", "option clean_struct C", "E.3.4", walked)
        named = "attribute" if tag in self._policy.unlisted.attributes else f"unlisted {vr}"
        made = Decision(word, f"profile {named} {word}")
        if word == "remap" and "rtn_uids" in options:
            return Decision("keep_uid", "option rtn_uids K", "E.3.9", Decision("U", made.rule))
        if word == "shift" or (vr == "AS" and word == "keep" and self._policy.dates is not None):
            return self._dated(vr, made)
        action = _cleaned(vr, "") or "X" if word == "clean" else _CODES.get(word, word)
        return replace(made, action=action, otherwise=replace(made, action="X"))

    def private(self, word: str, vr: str) -> Decision:
        """For a private element that may stay; ``word``: of `private.PrivateAction`. Dates and UIDs as elsewhere."""
        made = Decision(_PRIVATE[word], f"option rtn_safe_priv: {word}", _SECTIONS["rtn_safe_priv"], _GONE)
        if word == "remap" and "rtn_uids" in self._policy.options:
            return Decision("keep_uid", "option rtn_uids K", _SECTIONS["rtn_uids"], made)
        if vr == "AS" and self._policy.dates is None:
            return replace(made, action="keep") if "rtn_pat_chars" in self._policy.options else _GONE
        return self._dated(vr, made) if word == "shift" else made

    def _dated(self, vr: str, made: Decision) -> Decision:
        """A date, time or age that the options move, keep or remove, or the profile's words about them."""
        options, gone = self._policy.options, replace(made, action="X")
        if self._policy.dates is not None:
            return replace(gone, action="date", rule=f"profile dates {vr}", otherwise=gone)
        if "rtn_long_full" in options:
            return Decision("keep_date", "option rtn_long_full K", _SECTIONS["rtn_long_full"], gone)
        return replace(made, otherwise=gone) if "rtn_long_modif" in options else gone


#: word of `private` → action of the walk
_PRIVATE = {"keep": "keep", "clean": "clean", "remap": "U", "shift": "shift", "recurse": "private_items"}
_GONE = Decision("X", "E.1-1 X", BASIC)
#: nobody knows what is in there, so no profile can keep it
_SEALED = Decision("X", "encrypted attributes from upstream", "E.1.1")
#: word of a profile → code of Table E.1-1 that does the same
_CODES = {"remove": "X", "remap": "U", "dummy": "D", "walk": "R"}


def _kept(vr: str) -> str:
    """K: as it is; a sequence is walked into, its elements have rows of their own (PS3.15 Table E.1-1a)."""
    if vr == "SQ":
        return "R"
    return "keep_date" if vr in TEMPORAL else "keep_uid" if vr == "UI" else "keep"


def _cleaned(vr: str, option: str) -> str:
    """C: by what the option cleans; "" where nothing can (binary values), then the basic action stands."""
    if option == "rtn_long_modif":
        return "shift" if vr in TEMPORAL else ""
    if vr == "SQ":
        return "content" if option == "clean_struct" else "R"
    return "clean" if vr in FREE_TEXT else "clean_whole" if vr in _WHOLE else ""


@lru_cache(maxsize=64)
def decider_of(policy: Policy) -> Decider:
    """The decisions of ``policy``; kept for as long as the policy is in use."""
    return Decider(policy)
