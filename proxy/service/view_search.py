"""The use case *search* of a view: QIDO-RS over an identified PACS, in pseudonyms (DESIGN.md, *a viewer asks*).

What each key becomes is in `proxy.deid.match`. Every match is de-identified, recorded in the crosswalk, compared again
with what was asked, ordered by what is released and paged over that. An identifier that no answer of ours has ever
shown is unknown: nobody is asked. Each search is recorded before it is answered, with the names of its keys only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from proxy.archive.attributes import CODES, LEVELS, MATCHABLE, above, matchable, shown
from proxy.archive.matching import holds
from proxy.deid.match import Use, use_of
from proxy.deid.pseudonym import canonical
from proxy.errors import VeilError
from proxy.service.ports import AuditTrail, Held, Peer
from proxy.service.search import MOST, Found, searched
from proxy.service.upstream import Question
from proxy.service.view import TooBroad, View, Views
from proxy.service.view_known import Known
from proxy.service.view_match import CONTEXT, Match, Matches
from proxy.service.view_question import narrowed, question, recognised
from proxy.store.crosswalk import Crosswalk, Key
from proxy.wire.dicom_json import Json, first_value
from proxy.wire.uri import Query

#: The most matches that are taken from a PACS: all of them must be known before they can be ordered.
MOST_UPSTREAM = 5000
_STUDY, _PATIENT, _ACCESSION = "0020000D", "00100020", "00080050"


@dataclass(frozen=True, slots=True)
class _Row:
    """A released match, and what is known of what lies below it."""

    json: Json
    extra: Json

    @property
    def uids(self) -> tuple[str, ...]:
        return tuple(first_value(self.json, tag) for tag in (_STUDY, "0020000E", "00080018"))

    @property
    def order(self) -> tuple[Any, ...]:
        study, series, instance = self.uids
        first, second = (_number(first_value(self.json, tag)) for tag in ("00200011", "00200013"))
        return first_value(self.json, "00080020"), study, first, series, second, instance


class ViewSearch:
    """Answers searches of projects with a view."""

    def __init__(
        self, views: Views, matches: Matches, crosswalk: Crosswalk, known: Known, audit: AuditTrail,
        most: int = MOST_UPSTREAM,
    ) -> None:  # fmt: skip
        """``most`` matches are taken from a PACS for one search."""
        self._views, self._matches, self._crosswalk = views, matches, crosswalk
        self._known, self._audit, self._most = known, audit, most

    async def search(self, project: str, level: str, within: Mapping[str, str], query: Query, peer: Peer) -> Found:
        """Match at ``level`` inside ``within`` (level → pseudonymous UID, from the path).

        Raises `AuditUnavailable`, `UpstreamError`, `WorkersUnavailable`, `TooBroad`.
        """
        asked = recognised({key: value for key, value in query.matches.items() if value.strip("*")})
        uses = {key: use_of(key, value) if key in matchable(level) else None for key, value in asked.items()}
        named = {use: tuple(key for key in asked if uses[key] is use) for use in (None, Use.REFUSE)}
        found = Found([], False, query.ignored + named[None], named[Use.REFUSE])
        limit = MOST if query.limit is None else min(query.limit, MOST)
        wanted = narrowed(within, {key: value for key, value in asked.items() if uses[key] is not None})
        try:
            if limit and wanted is not None and not found.refused:
                rows = await self._rows(self._views(project), level, within, wanted, query.fields)
                page = rows[query.offset : query.offset + limit]
                fields = [*query.fields, *above(level, within)]
                more = len(rows) > query.offset + limit
                found = replace(found, matches=[_answer(row, level, fields) for row in page], more=more)
        except VeilError as error:
            failed = searched(project, level, query, found, peer)
            await self._audit.record(replace(failed, outcome="failure", reason=type(error).__name__))
            raise
        await self._audit.record(searched(project, level, query, found, peer))
        return found

    async def _rows(
        self, view: View, level: str, within: Mapping[str, str], wanted: Mapping[str, str], fields: tuple[str, ...]
    ) -> list[_Row]:
        asked = await question(view, self._crosswalk, level, within, wanted, fields)
        if asked is None:
            return []
        found = await view.upstream.search(replace(asked, limit=self._most + 1))
        if len(found) > self._most:
            raise TooBroad(f"more than {self._most} matches: ask for a patient, a range of dates or a modality")
        whole = await self._completed(view, asked, wanted, found)
        digest = view.policy.digest
        released = await asyncio.gather(*(self._matches.released(view.project, digest, level, m) for m in whole))
        pairs = [(match, out) for match, out in zip(whole, released, strict=True) if not isinstance(out, Held)]
        await self._crosswalk.put({key: value for pair in pairs for key, value in _originals(view, level, *pair)})
        rows = [row for match, out in pairs if (row := self._row(view, level, match, out)) is not None]
        kept = {row.uids: row for row in rows if _is_wanted(row, wanted)}  # a PACS may say a thing twice
        return sorted(kept.values(), key=lambda row: row.order)

    async def _completed(self, view: View, asked: Question, wanted: Mapping[str, str], found: list[Json]) -> list[Json]:
        """Matches below the study with what a PACS says of the study alone: whose it is, and what is compared."""
        path = {"0020000D": "StudyInstanceUID", "0020000E": "SeriesInstanceUID"}
        known = {
            tag: {"vr": "UI", "Value": [uid]}
            for tag, key in path.items()
            if (uid := asked.matches.get(key, "\\")).count("\\") == 0
        }
        whole = [known | match for match in found]
        needed = {_PATIENT} | {
            CODES[key] for key in wanted if MATCHABLE[key][0] == "study" and key != "ModalitiesInStudy"
        }
        lacking = {first_value(match, _STUDY) for match in whole if not needed <= match.keys()}
        studies: dict[str, Json] = {}
        for uid in sorted(lacking) if asked.level != "study" else ():
            about = await view.upstream.search(Question("study", {"StudyInstanceUID": uid}, tuple(CONTEXT)))
            studies[uid] = next((match for match in about if first_value(match, _STUDY) == uid), {})
        return [studies.get(first_value(match, _STUDY), {}) | match for match in whole]

    def _row(self, view: View, level: str, match: Json, out: Match) -> _Row | None:
        uids = (out.report.study_instance_uid, out.report.series_instance_uid, out.report.sop_instance_uid)
        if level == "instance" and self._known.is_held(view.scope, uids[0], uids[2]):
            return None
        extra = self._known.visible(view.scope, level, uids, match)
        return None if extra is None else _Row(out.json, extra)


def _originals(view: View, level: str, match: Json, out: Match) -> list[tuple[Key, str]]:
    """The rows of the crosswalk that a released match gives."""
    report = out.report
    uids = {
        "study": (report.study_instance_uid, _STUDY),
        "series": (report.series_instance_uid, "0020000E"),
        "instance": (report.sop_instance_uid, "00080018"),
    }
    rows = {(kind, uids[kind][0]): first_value(match, uids[kind][1]) for kind in LEVELS[: LEVELS.index(level) + 1]}
    issuer, patient_id = (
        canonical(first_value(match, CONTEXT["IssuerOfPatientID"])),
        canonical(first_value(match, _PATIENT)),
    )
    if patient_id:
        rows["patient", report.patient_id] = f"{issuer}\\{patient_id}"
    if accession := first_value(out.json, _ACCESSION):
        rows["accession", accession] = canonical(first_value(match, _ACCESSION))
    return [(view.key(kind, pseudonym), original) for (kind, pseudonym), original in rows.items()]


def _is_wanted(row: _Row, wanted: Mapping[str, str]) -> bool:
    """Whether what is released matches; a PACS is believed about modalities of what nobody has seen yet."""
    for keyword, value in wanted.items():
        if keyword == "ModalitiesInStudy" and CODES[keyword] not in row.extra:
            continue
        element = (row.json | row.extra).get(CODES[keyword], {})
        if not holds(MATCHABLE[keyword][1], element, value):
            return False
    return True


def _answer(row: _Row, level: str, fields: list[str]) -> Json:
    """The attributes that an answer has (PS3.18 10.6.3.3), those that must be there without a value otherwise."""
    answer = dict(row.extra)
    for _, attribute in shown(level, fields):
        if attribute.tag in row.json:
            answer[attribute.tag] = row.json[attribute.tag]
        elif attribute.required:
            answer[attribute.tag] = {"vr": attribute.vr}
    if level != "series":
        answer["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
    return answer


def _number(text: str) -> int:
    return int(text) if text.lstrip("-").isdecimal() and len(text) < 18 else 0
