"""The conformance statement of PS3.15 E.1.3 for one compiled policy, as Markdown: what this policy does, row by row.

Made from the decisions that the engine itself asks for, so it cannot promise what is not done. Deterministic: no clock,
no host, no key. Prose that depends on options stands in `conformance_prose`. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import proxy
from proxy.deid import dummies, markers
from proxy.deid.conformance_pixels import pixels
from proxy.deid.conformance_prose import (
    ACTIONS,
    METHODS,
    WORDS,
    date_methods,
    encrypted,
    referential_integrity,
    restrictions,
    site_rule,
)
from proxy.deid.decisions import Decision, decider_of
from proxy.deid.profile import Policy
from proxy.deid.tables import Attribute, Tables, tag_number
from proxy.deid.walk import PATIENT_ID, PATIENT_NAME

Lines = Iterator[str]
#: rows with a rule of their own in the walk, or in the head of the file
_PSEUDONYM = Decision("pseudonym", "pseudonym of the patient", "E.1.1")
_SAFE_PRIVATE = Decision("private", "option rtn_safe_priv C", "E.3.10")
_FILE_META = Decision("U", "file meta information made anew", "E.1.1")
_OWN = {PATIENT_NAME: _PSEUDONYM, PATIENT_ID: _PSEUDONYM, 0x00020003: _FILE_META}
_LONGITUDINAL = frozenset({"rtn_long_full", "rtn_long_modif"})
_PRIVATE = "(gggg,eeee) gggg odd"


def statement(policy: Policy, tables: Tables) -> str:
    """The whole document."""
    parts = (
        _head(policy),
        _claims(policy),
        _removed(policy, tables),
        _replaced(policy, tables),
        _unlisted(policy),
        _dummies(),
        _section("Encrypted attributes", "which attributes, and how keys are chosen", encrypted(policy)),
        _section("Scope of referential integrity", "within and across exports", referential_integrity(policy)),
        _inserted(policy),
        _site_rules(policy),
        _methods(policy),
        _private(policy),
        _section("Pixel data and encapsulated documents", "E.3.1, E.3.2; what is not examined", pixels(policy)),
        _transfer_syntaxes(policy),
        _section("Restrictions", "what is held and never passed on", restrictions(policy)),
    )
    return "\n".join(line for part in parts for line in part).rstrip("\n") + "\n"


def _head(policy: Policy) -> Lines:
    yield "# De-identification conformance statement"
    yield ""
    yield (
        "As PS3.15 E.1.3 asks of a de-identifier, for one project of Veil, an application that de-identifies "
        "instances "
        f"by {policy.edition} Annex E. Generated from the running policy; a change of rules changes it."
    )
    yield ""
    yield from _table(
        ("", ""),
        (
            ("product", f"Veil {proxy.__version__} (Implementation Class UID {proxy.IMPLEMENTATION_CLASS_UID})"),
            ("project", policy.project),
            ("profile", policy.profile),
            ("options", ", ".join(policy.options) or "none"),
            ("key epoch", str(policy.key_epoch)),
            ("policy digest", policy.digest),
        ),
    )


def _claims(policy: Policy) -> Lines:
    yield from _heading("Profile and options claimed", "stated in (0012,0064) of every instance, CID 7050")
    if not policy.claims_profile:
        yield (
            "**None**: rules or dates of this project leave more than its profile and options allow. Instances say in "
            "words how they were de-identified (0012,0063)."
        )
        yield ""
        return
    yield from _table(("code", "meaning"), policy.methods)


def _removed(policy: Policy, tables: Tables) -> Lines:
    yield from _heading("Attributes removed", "at every depth; a sequence with everything in it")
    rows = [(row, decision) for row, decision in _decisions(policy, tables) if decision.action == "X"]
    yield f"{len(rows)} rows of Table E.1-1, by tag; masks stand for all groups that they match."
    yield ""
    yield from _table(("tag", "attribute", "rule", "section"), ((r.tag, r.keyword, d.rule, d.section) for r, d in rows))


def _replaced(policy: Policy, tables: Tables) -> Lines:
    yield from _heading("Attributes replaced, emptied, cleaned or retained", "the other rows of Table E.1-1")
    groups: dict[str, list[tuple[Attribute, Decision]]] = defaultdict(list)
    for row, decision in _decisions(policy, tables):
        if decision.action != "X":
            groups[decision.action].append((row, decision))
    for action in sorted(groups, key=lambda each: (list(ACTIONS).index(each) if each in ACTIONS else 99, each)):
        yield f"### {action}: {ACTIONS.get(action, 'as the rule says')}"
        yield ""
        yield from _table(
            ("tag", "attribute", "VR", "rule", "section", "where a value does not allow it"),
            (
                (r.tag, r.keyword, r.vr, d.rule, d.section, d.otherwise.rule if d.otherwise else "")
                for r, d in groups[action]
            ),
        )


def _unlisted(policy: Policy) -> Lines:
    yield from _heading("Attributes that no row names", "by VR; single attributes below")
    yield "Tags that PS3.6 does not have are removed, and so is what has another kind of VR than PS3.6 says."
    yield ""
    unlisted = policy.unlisted
    yield from _table(("VR", "treatment"), ((vr, WORDS.get(word, word)) for vr, word in sorted(unlisted.by_vr.items())))
    named = sorted(unlisted.attributes.items())
    yield from _table(("tag", "treatment"), ((f"({t >> 16:04X},{t & 0xFFFF:04X})", WORDS.get(w, w)) for t, w in named))


def _dummies() -> Lines:
    yield from _heading("Dummy values", "how they are made")
    yield from METHODS["dummies"]
    yield ""
    values = ((vr, value.decode("ascii").strip().replace("\0", "\\0")) for vr, value in sorted(dummies.BY_VR.items()))
    yield from _table(("VR", "dummy"), values)


def _inserted(policy: Policy) -> Lines:
    yield from _heading("Attributes inserted", "attributes and values that the original need not have had")
    codes = "; ".join(f"({code}, DCM, {meaning})" for code, meaning in policy.methods)
    values = {
        markers.PATIENT_IDENTITY_REMOVED: "YES",
        markers.DEIDENTIFICATION_METHOD: "; ".join(markers.methods(policy)) + "; after values of earlier passes",
        markers.DEIDENTIFICATION_METHOD_CODE_SEQUENCE: f"{codes}; after items of earlier passes",
        markers.LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED: policy.longitudinal,
        0x00100010: "the pseudonym of the patient",
        0x00100020: "the pseudonym of the patient",
        0x00020012: proxy.IMPLEMENTATION_CLASS_UID,
        0x00020013: proxy.IMPLEMENTATION_VERSION_NAME,
    }
    if policy.recipients:
        values[0x04000500] = "originals, encrypted (see encrypted attributes)"
    if policy.documents == "dummy":
        values[0x00420015] = "the length of the dummy document, where a document was replaced"
        values[0x00280301] = "NO, where a document was replaced"
    yield "Preamble (zero) and file meta information are made anew and hold nothing of the original's."
    yield ""
    rows = sorted((f"({tag >> 16:04X},{tag & 0xFFFF:04X})", value) for tag, value in values.items())
    yield from _table(("tag", "value"), rows)


def _site_rules(policy: Policy) -> Lines:
    yield from _heading(
        "Rules of the site", "asked in this order, before everything above; the first that matches decides"
    )
    if not policy.rules:
        yield "None."
        yield ""
        return
    yield "Values that a condition compares with are not shown."
    yield ""
    yield from _table(("rule", "elements", "instances", "action"), map(site_rule, policy.rules))


def _methods(policy: Policy) -> Lines:
    yield from _heading("Methods of the options", "dates, descriptors, patient characteristics, content, graphics")
    said = policy.options
    if policy.dates is not None:
        yield from date_methods(policy.dates, policy.date_shift_days)
        said = tuple(option for option in said if option not in _LONGITUDINAL)
    for option in (
        "rtn_long_modif", "rtn_long_full", "clean_desc", "rtn_pat_chars", "rtn_dev_id", "rtn_inst_id", "rtn_uids",
        "clean_struct", "clean_graph",
    ):  # fmt: skip
        word = option if option in said else f"no {option}"
        yield from (line.format(days=policy.date_shift_days) for line in METHODS[word])
    if policy.dates is None and _LONGITUDINAL.isdisjoint(policy.options):
        yield from METHODS["no dates"]
    yield ""


def _private(policy: Policy) -> Lines:
    yield from _heading("Private attributes", "E.3.10: those known to be safe")
    if policy.safe_private is None:
        yield "None is retained: every element of an odd group is removed, known or not."
        yield ""
        return
    yield from METHODS["rtn_safe_priv"]
    yield ""
    rows = sorted(policy.safe_private.elements.items())
    yield from _table(
        ("creator", "element", "VR"), ((creator, f"({g:04X},xx{e:02X})", vr) for (creator, g, e), vr in rows)
    )


def _transfer_syntaxes(policy: Policy) -> Lines:
    yield from _heading("Transfer syntaxes and SOP classes", "an instance leaves in the transfer syntax it came in")
    syntaxes = sorted(policy.transfer_syntaxes.values(), key=lambda each: each.uid)
    rows = ((s.uid, s.name, "held" if s.handling == "refuse" else "supported") for s in syntaxes)
    yield from _table(("UID", "name", "support"), rows)
    classes = sorted(policy.sop_classes.values(), key=lambda each: each.uid)
    risks = ((c.uid, c.name, ", ".join(c.kinds), c.risk) for c in classes)
    yield from _table(("UID", "SOP class", "what its pixels or bulk data may carry", "risk"), risks)


def _decisions(policy: Policy, tables: Tables) -> Iterator[tuple[Attribute, Decision]]:
    decider = decider_of(policy)
    for row in sorted(tables.attributes, key=lambda each: each.tag):
        tag = tag_number(row.tag)
        basic = Decision(row.basic, f"E.1-1 {row.basic}", "E.2")
        if tag is not None:
            yield row, _OWN.get(tag) or decider.listed(tag) or basic
        else:
            yield row, _SAFE_PRIVATE if row.tag == _PRIVATE and policy.safe_private is not None else basic


def _heading(title: str, about: str) -> Lines:
    yield ""
    yield f"## {title}"
    yield ""
    yield f"*{about}*"
    yield ""


def _section(title: str, about: str, lines: Iterable[str]) -> Lines:
    yield from _heading(title, about)
    yield from lines


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Lines:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + " --- |" * len(columns)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""
