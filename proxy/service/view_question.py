"""A search in pseudonyms, put into the words of the clinical side (table: `proxy.deid.match`).

What it makes is in clear and goes to the PACS alone. Where an identifier is unknown there is no question at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from proxy.archive.attributes import CODES, COMPUTED, UID_OF, above, shown
from proxy.deid.match import KEYS, MAPPED, Use, bare, use_of, window
from proxy.deid.pseudonym import check_character
from proxy.service.upstream import Question
from proxy.service.view import View
from proxy.service.view_match import CONTEXT
from proxy.store.crosswalk import Crosswalk

_UIDS = frozenset(UID_OF.values())
#: after a project's prefix; Crockford's base32 (docs/pseudonyms.md)
_PSEUDONYM = re.compile(r"^[A-Z0-9-]{0,16}[0-9A-HJKMNP-TV-Z]{17}$")
_ISSUER, _SPECIAL = "\\", frozenset("*?\\")


def recognised(asked: Mapping[str, str]) -> dict[str, str]:
    """A patient's name that is a Patient ID of ours is that Patient ID: viewers have one field for both.

    It is told by its form (17 characters, the last of which checks the others), so never by what a PACS holds.
    """
    name = bare(asked.get("PatientName", ""))
    if "PatientID" in asked or not (_PSEUDONYM.search(name) and check_character(name[-17:-1]) == name[-1]):
        return dict(asked)
    return {"PatientID" if key == "PatientName" else key: value for key, value in asked.items()}


def narrowed(within: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str] | None:
    """The keys and the UIDs of the path together; None where they contradict each other."""
    wanted = {keyword: bare(value) if keyword in MAPPED else value for keyword, value in asked.items()}
    for level, uid in within.items():
        keyword = UID_OF[level]
        if uid not in wanted.get(keyword, uid).split("\\"):
            return None
        wanted[keyword] = uid
    return wanted


async def question(
    view: View,
    crosswalk: Crosswalk,
    level: str,
    within: Iterable[str],
    wanted: Mapping[str, str],
    fields: Iterable[str],
) -> Question | None:
    """What to ask for keys that are `narrowed`; None where an identifier was never shown by this view."""
    pseudonyms = {key: [p for p in wanted[key].split("\\") if p] for key in wanted if key in MAPPED}
    rows = {(key, p): view.key(MAPPED[key], p) for key, several in pseudonyms.items() for p in several}
    originals = await crosswalk.get(rows.values())
    found = {
        key: [originals[rows[key, p]] for p in several if rows[key, p] in originals]
        for key, several in pseudonyms.items()
    }
    if not all(found.values()):
        return None
    matches = {key: "\\".join(each) for key, each in found.items() if key in _UIDS}
    offset = None
    if len(patients := found.get("PatientID", [])) == 1:
        issuer, _, patient_id = patients[0].partition(_ISSUER)
        matches |= _exactly("PatientID", patient_id)
        offset = view.policy.pseudonyms().date_offset(issuer, patient_id)
    if len(accessions := found.get("AccessionNumber", [])) == 1:
        matches |= _exactly("AccessionNumber", accessions[0])
    for key, value in wanted.items():
        if use_of(key, value) is Use.SEND and "\\" not in value:
            matches[key] = value
        elif KEYS[key] is Use.WIDEN and (days := window(view.policy, value, offset)):
            matches[key] = days
    return Question(level, matches, _fields(level, list(within), wanted, list(fields)))


def _exactly(keyword: str, original: str) -> dict[str, str]:
    """Nothing where the original would be taken for a pattern or a list."""
    return {} if _SPECIAL & set(original) else {keyword: original}


def _fields(level: str, within: list[str], wanted: Iterable[str], fields: list[str]) -> tuple[str, ...]:
    """What the answer is to say: what is shown, what is compared, what pseudonyms are made of."""
    named = [a.keyword for _, a in shown(level, [*fields, *above(level, within)])]
    identity = ("PatientID", "PatientName", "PatientBirthDate", "StudyDate", "StudyTime")
    counts = [keyword for keyword, (of, _, _) in COMPUTED.items() if of == level and _told_by_a_pacs(keyword)]
    return tuple(dict.fromkeys([*named, *(k for k in wanted if k in CODES), *identity, *CONTEXT, *counts]))


def _told_by_a_pacs(keyword: str) -> bool:
    """What is compared with what is known of a study, or believed until then."""
    return keyword.startswith("NumberOf") or keyword == "ModalitiesInStudy"
