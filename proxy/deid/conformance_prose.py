"""The words of a conformance statement: what an action or an option means, one text each. No decisions. Pure data.

A test holds every text against the actions and options that there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from proxy.deid.date_policy import DatePolicy
from proxy.deid.profile import Policy
from proxy.deid.rules import Rule
from proxy.deid.tables import tag_text

#: action of a decision → what it does, in the order of the statement
ACTIONS: Mapping[str, str] = {
    "U": "replaced by a pseudonymous UID, the same wherever the original stood; UIDs that DICOM registers stay",
    "pseudonym": "replaced by the pseudonym of the Patient ID beside it",
    "D": "replaced by a dummy value",
    "Z": "emptied, or a dummy value where this IOD requires a value",
    "X/required": "removed; where a module of the IOD requires it, emptied (type 2) or a dummy value (type 1)",
    "X/Z": "removed, or emptied where the IOD has it as type 2",
    "X/D": "removed, or a dummy value where the IOD requires a value",
    "Z/D": "removed, emptied or a dummy value: the least that the type of the attribute in the IOD allows",
    "X/Z/D": "removed, emptied or a dummy value: by the type of the attribute in the IOD (3, 2, 1)",
    "X/Z/U*": "the sequence is kept and walked into; UIDs in it are replaced",
    "R": "the sequence is kept; its elements are treated by their own rows",
    "private": "removed, unless known to be safe (see private attributes)",
    "content": "content items are cleaned by Table E.3.4-1",
    "shift": "dates are moved by the patient's offset",
    "clean": "text is cleaned of identity; what cannot be judged is emptied",
    "clean_whole": "kept where it holds no identifier of the instance, else removed",
    "keep": "kept as it is",
    "keep_uid": "kept where it is a valid UID",
    "keep_date": "kept where it is a valid date or time",
    "date": "kept, moved, truncated, capped or removed: by the project's words for dates (see methods)",
    "hash": "replaced by a keyed digest",
}
#: word of a profile for what no row names → treatment
WORDS: Mapping[str, str] = {
    "clean": "cleaned of identity (method below)",
    "dummy": "replaced by a dummy value",
    "keep": "kept",
    "remap": "replaced by a pseudonymous UID",
    "remove": "removed",
    "shift": "moved as dates are (removed where the project does not move dates)",
}
#: option, or "no " and the option → what it means for this policy; {days} is the project's bound
METHODS: Mapping[str, tuple[str, ...]] = {
    "encrypted": (
        "Every attribute of the top level that does not leave as it came, a sequence with everything in it, and "
        "Specific Character Set. Not private attributes, bulk values (OB, OD, OF, OL, OV, OW, UN), pixel data or "
        "documents: the whole instance cannot be restored. They are copied into the one item of Modified Attributes "
        "Sequence of one Encrypted Attributes Data Set, which is the one item of Encrypted Attributes Sequence.",
        "",
        "- Transfer syntax of that data set: Explicit VR Little Endian, whatever that of the instance is.",
        "- CMS EnvelopedData: AES with 256 bits in CBC mode (RFC 3565) for the content, RSA (PKCS #1 v1.5, RFC 3370) "
        "for its key. The content-encryption key, the vector and the padding are derived for each instance by "
        "HMAC-SHA256 from the project's root key and the content itself. EnvelopedData is not authenticated.",
        "- Recipients, named by Subject Key Identifier:",
    ),
    "no encrypted": (
        "None: no Encrypted Attributes Data Set is made, so there are no content-encryption keys and no transfer "
        "syntaxes "
        "for one.",
    ),
    "upstream": ("Encrypted Attributes Sequence from upstream is removed, at every depth.",),
    "dummies": (
        "Constants by VR, the same for every patient, site and project: they say nothing about what stood there. "
        "Sequences with action D get fixed content (a removed code, one text item, one point), or the skeleton of "
        "their "
        "first item with all text replaced. UIDs are never constants but pseudonyms.",
    ),
    "rtn_long_modif": (
        "- **Modified dates** (E.3.6): dates and date-times move by one whole number of days per patient, derived "
        "from the "
        "key, the issuer and the Patient ID: 1 to {days} days back, never 0. Intervals between all dates of a "
        "patient are "
        "preserved, in all instances, studies and items. Times of day stay. A value that is no date goes by the "
        "basic "
        "action.",
    ),
    "no rtn_long_modif": (),
    "rtn_long_full": ("- **Full dates** (E.3.6): valid dates and times of the rows of this option stay as they are.",),
    "no rtn_long_full": (),
    "no dates": ("- **Dates and times**: neither retained nor moved; the rows have their basic action.",),
    "clean_desc": (
        "- **Descriptors** (E.3.5): free text is cleaned word by word. Removed are names, identifiers, places and "
        "dates that "
        "this instance itself states, the project's list of names, and patterns (dates, telephone, e-mail, URL, "
        "numbers "
        "like identifiers, ages over 89). Words of a clinical vocabulary survive. A text that cannot be judged is "
        "emptied.",
    ),
    "no clean_desc": (
        "- **Descriptors**: the option is not applied; the rows of free text have their basic action. Free text "
        "that no "
        "row names is treated by VR (above).",
    ),
    "rtn_pat_chars": (
        "- **Patient characteristics** (E.3.7): rows marked K are kept, texts marked C are cleaned as descriptors are.",
    ),
    "no rtn_pat_chars": ("- **Patient characteristics**: not retained; the rows have their basic action.",),
    "rtn_dev_id": ("- **Device identity** (E.3.8): rows marked K are kept, those marked C are cleaned.",),
    "no rtn_dev_id": ("- **Device identity**: not retained.",),
    "rtn_inst_id": ("- **Institution identity** (E.3.11): rows marked K are kept, those marked C are cleaned.",),
    "no rtn_inst_id": ("- **Institution identity**: not retained.",),
    "rtn_uids": ("- **UIDs** (E.3.9): kept as they are; instances can be linked to their originals by them.",),
    "no rtn_uids": ("- **UIDs**: not retained; see the scope of referential integrity.",),
    "clean_struct": (
        "- **Structured content** (E.3.4): content items are kept, cleaned or removed by Table E.3.4-1 and their "
        "value "
        "type; the tree stays valid and references follow.",
    ),
    "no clean_struct": (
        "- **Structured content**: not cleaned; Content Sequence is replaced by one text item that says REMOVED.",
    ),
    "clean_graph": (
        "- **Graphics** (E.3.3): graphic annotation and overlays are cleaned as the rows of this option say.",
    ),
    "no clean_graph": (
        "- **Graphics**: not cleaned; curves, overlays and graphic annotation are removed or replaced.",
    ),
    "rtn_safe_priv": (
        "Private elements are recognised by creator, group and element in the block, and kept where Table E.3.10-1 "
        "or the "
        "project's own list says that they are safe, or where Private Data Element Characteristics Sequence says so "
        "and "
        "the value can be judged by its VR. Safe texts are cleaned, dates moved, UIDs replaced, sequences walked "
        "into. The "
        "elements known to be safe:",
    ),
}


def date_methods(dates: DatePolicy, days: int) -> Iterator[str]:
    """The project's own words for dates (docs/dates.md)."""
    yield f"- **Dates** (E.3.6): every date and date-time: {_date_word(dates.dates, dates)}."
    yield f"- **Birth date**: {_date_word(dates.birth_date, dates)}."
    yield f"- **Times of day**: {_TIMES[dates.times]}."
    yield f"- **Ages** (E.3.7): {_AGES[dates.ages].format(cap=dates.age_cap, more=dates.age_cap + 1)}."
    for tag, word in sorted(dates.attributes.items()):
        yield f"- {tag_text(tag)}: {_TIMES[word] if word in ('hour',) else _date_word(word, dates)}."
    if dates.moves:
        yield (
            f"- The offset is one whole number of days per patient, from the key: 1 to {days} days back, never 0. "
            "Intervals between all dates of a patient are preserved before truncation."
        )


def _date_word(word: str, dates: DatePolicy) -> str:
    moved = ", after moving" if dates.moves and word in ("year", "month") else ""
    return _DATES[word].format(day=dates.day_of_month) + moved


_DATES = {
    "keep": "kept",
    "shift": "moved by the patient's offset",
    "year": "truncated to 1 January of the year",
    "month": "truncated to day {day} of the month",
    "remove": "not retained; the basic action applies",
}
_TIMES = {
    "keep": "kept",
    "hour": "truncated to the hour",
    "shift": "moved by the patient's minutes, with the date over midnight",
    "remove": "not retained; the basic action applies",
}
_AGES = {
    "keep": "kept",
    "cap": "ages over {cap} years become {more}; a birth date moves with them",
    "remove": "not retained; the basic action applies",
}


def site_rule(rule: Rule) -> tuple[str, str, str, str]:
    """Number, elements, instances and action; no value that a condition compares with."""
    elements = [tag_text(tag) for tag in sorted(rule.tags)]
    elements += [f"tags like {tag_text(wanted)} under mask {tag_text(bits)}" for bits, wanted in rule.masks]
    for what, texts in (("VR", rule.vrs), ("private creator", rule.creators)):
        elements += [f"{what} {text}" for text in sorted(texts)]
    instances = [f"SOP class {uid}" for uid in sorted(rule.sop_classes)]
    instances += [f"modality {text}" for text in sorted(rule.modalities)]
    instances += [f"{tag_text(each.tag)} {_CONDITIONS[each.kind]}" for each in rule.when]
    action = {"replace": "replace by a constant", "truncate": f"truncate ({_truncated(rule.argument)})"}
    done = action.get(rule.do, rule.do)
    return rule.name, ", ".join(elements) or "the whole instance", ", ".join(instances) or "all", done


_CONDITIONS = {
    "value": "is one of certain values",
    "regex": "matches a pattern",
    "present": "has a value",
    "absent": "has none",
}


def _truncated(argument: str) -> str:
    return "to the year" if argument == "0" else f"to day {argument} of the month"


def referential_integrity(policy: Policy) -> Iterator[str]:
    """PS3.15 E.1.3: within which bounds the same original gets the same replacement."""
    yield (
        "Replacements are derived, not stored: HMAC-SHA256 under keys that HKDF makes from one 32-byte root key per "
        "project "
        "and key epoch. The same original gets the same replacement in every instance, series, study, export, "
        "process and "
        "restart **of this project and key epoch**, whatever the order. Two projects, or two epochs, have "
        "independent keys "
        "and cannot be linked. There is no table of originals."
    )
    yield ""
    yield "- UIDs: under 2.25, from 128 bits; references in every attribute with VR UI follow. Registered UIDs stay."
    prefix = f"'{policy.patient_id_prefix}' and " if policy.patient_id_prefix else ""
    yield (
        f"- Patient: from Issuer of Patient ID and Patient ID together; {prefix}16 characters of Crockford base32 "
        f"and a check "
        "character, in Patient ID and Patient's Name."
    )
    blank = {
        "hold": "an instance without a Patient ID is held.",
        "per-study": "an instance without a Patient ID gets a pseudonym of its study.",
    }
    yield f"- Blank Patient ID: {blank[policy.blank_patient_id]}"
    yield "- Dates: one offset per patient, where dates are moved."


def encrypted(policy: Policy) -> Iterator[str]:
    """PS3.15 E.1.3: attributes in Encrypted Attributes Data Sets, keys and transfer syntaxes."""
    yield from METHODS["encrypted" if policy.recipients else "no encrypted"]
    for each in policy.recipients:
        yield f"  - {each.key_id.hex()}, RSA of {each.modulus.bit_length()} bits"
    yield ""
    yield from METHODS["upstream"]


#: what a profile says of encapsulated documents → what happens to them


def restrictions(policy: Policy) -> Iterator[str]:
    """What is not supported."""
    limits = policy.limits
    yield "An instance is held in sealed quarantine, and nothing of it leaves, where"
    yield ""
    yield "- its SOP class is private, not a storage SOP class, or belongs to no patient's study;"
    yield "- its encoding cannot be read to the last byte, or its text not by its character set;"
    yield "- UIDs are missing, invalid, or differ from those of the file meta information or the request;"
    yield (
        f"- sequences are nested deeper than {limits.nesting_depth}, it has more than {limits.elements} elements, "
        f"or it "
        f"inflates to more than {limits.inflated_bytes} bytes or {limits.inflate_ratio} times its size;"
    )
    yield "- a second, independent reading finds an identifier of the original in the output, or what may not be there."
    yield ""
    kept = "by whom the originals are encrypted to, and by nobody else" if policy.recipients else "not offered"
    yield f"Re-identification (E.1.2): {kept}. No map is kept."
