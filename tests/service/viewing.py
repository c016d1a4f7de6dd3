"""A PACS in memory with identified instances, and a view of it: the pieces of `proxy.app`, wired for tests.

The PACS obeys every key, names and wildcards too, sorts by the patients' names, and counts who asks it what. So what
an answer of the view does not show was not let through by the view.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import UID

from proxy.archive.attributes import ATTRIBUTES, LEVELS, REQUEST, UID_OF
from proxy.archive.matching import holds
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.errors import AuditUnavailable
from proxy.service.ports import Arena, AuditEvent, Held, Peer, Verdict
from proxy.service.upstream import Question, Reference, UpstreamError, find_references, pour
from proxy.service.view import View
from proxy.service.view_describe import ViewDescribe
from proxy.service.view_fetch import ViewFetch
from proxy.service.view_known import Known
from proxy.service.view_match import Matches
from proxy.service.view_retrieve import ViewRetrieve
from proxy.service.view_search import ViewSearch
from proxy.store.crosswalk import Crosswalk
from proxy.store.database import Database
from proxy.store.rulebook import load_profile, load_tables
from proxy.store.view_cache import ViewCache
from proxy.wire.dicom_json import Json, Source, bulk_name, first_value, to_json
from proxy.workers.describing import Outcome
from proxy.workers.judge import Judge

PEER = Peer("dicomweb", "192.0.2.7")
GATE_KEY = bytes(range(32))
ROOT = "1.2.826.0.1.3680043.10.1511."
_TAGS = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}


def policy_of(project: str, **words: Any) -> Policy:
    """The research profile, with other ``words``, under a key of this project's own."""
    return _policy_of(project, json.dumps(words))


@cache
def _policy_of(project: str, words: str) -> Policy:
    profile = {**load_profile("research", site=Path("/nonexistent")), **json.loads(words)}
    key = (project * 32).encode()[:32]
    return compile_policy(load_tables(), PolicySpec(project, profile, key, patient_id_prefix="K-"))


@dataclass
class Pacs:
    """Implements `Upstream`."""

    name: str = "clinical"
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, Json] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    fault: UpstreamError | None = None
    #: whether matches below the study say whose they are
    relational: bool = True
    delay: asyncio.Event | None = None

    def keep(self, data: bytes) -> None:
        """Store a Part 10 instance as a modality would."""
        dataset = pydicom.dcmread(io.BytesIO(data))
        header = to_json(dataset, Source(lambda where: f"http://pacs.hospital.example/{bulk_name(where)}", _value))
        uid = first_value(header, _TAGS["instance"])
        self.files[uid], self.headers[uid] = data, header

    async def search(self, question: Question) -> list[dict[str, Any]]:
        self._happen("search")
        self.questions.append(question)
        found: dict[tuple[str, ...], Json] = {}
        above = LEVELS[: LEVELS.index(question.level) + 1]
        for one in sorted(self.headers.values(), key=lambda one: first_value(one, "00100010")):
            if all(self._holds(one, key, value) for key, value in question.matches.items()):
                uids = tuple(first_value(one, _TAGS[level]) for level in above)
                found.setdefault(uids, self._match(one, question, uids))
        rows = list(found.values())
        return rows[question.offset :][: question.limit or None]

    def _holds(self, one: Json, keyword: str, value: str) -> bool:
        if keyword == "ModalitiesInStudy":
            same = [other for other in self.headers.values() if _same_study(other, one)]
            return any(holds("CS", other.get("00080060", {}), value) for other in same)
        tag = tag_for_keyword(keyword)
        assert tag is not None
        return holds(dictionary_VR(tag), one.get(f"{tag:08X}", {}), value)

    def _match(self, one: Json, question: Question, uids: tuple[str, ...]) -> Json:
        levels = LEVELS[: LEVELS.index(question.level) + 1] if self.relational else (question.level,)
        tags = {a.tag for level in levels for a in ATTRIBUTES[level] if a.keyword != REQUEST}
        tags |= {f"{tag_for_keyword(f):08X}" for f in question.fields if self.relational and tag_for_keyword(f)}
        match = {tag: one[tag] for tag in sorted(tags) if tag in one}
        inside = [
            one
            for one in self.headers.values()
            if all(first_value(one, _TAGS[level]) == uid for level, uid in zip(LEVELS, uids, strict=False))
        ]
        if question.level == "study":
            modalities = sorted({first_value(one, "00080060") for one in inside})
            match |= {"00080061": {"vr": "CS", "Value": modalities}}
            match |= {"00201206": _count({first_value(one, _TAGS["series"]) for one in inside})}
        if question.level != "instance":
            match |= {"00201208" if question.level == "study" else "00201209": _count(inside)}
        return match | {"00081190": {"vr": "UR", "Value": [f"http://pacs.hospital.example/{uids[-1]}"]}}

    async def instances(self, study: str, series: str = "", instance: str = "") -> list[Reference]:
        self._happen("instances")
        return await find_references(self, study, series, instance)

    async def metadata(self, study: str, series: str = "", instance: str = "") -> AsyncIterator[dict[str, Any]]:
        self._happen("metadata")
        for one in self.headers.values():
            if first_value(one, _TAGS["study"]) == study:
                yield one

    async def fetch(self, reference: Reference, arena: Arena) -> bool:
        self._happen("fetch")
        if self.delay is not None:
            await self.delay.wait()
        if reference.instance not in self.files:
            return False
        pour(self.name, self.files[reference.instance], arena)
        return True

    async def close(self) -> None:
        self._happen("close")

    def _happen(self, call: str) -> None:
        self.calls.append(call)
        if self.fault is not None:
            raise self.fault


def _value(element: Any) -> bytes:
    return bytes(element.value)


def _same_study(one: Json, other: Json) -> bool:
    return first_value(one, _TAGS["study"]) == first_value(other, _TAGS["study"])


def _count(things: Any) -> Json:
    return {"vr": "IS", "Value": [len(things)]}


class Audit:
    """The trail as a list."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.broken = False

    async def record(self, *events: AuditEvent) -> None:
        if self.broken:
            raise AuditUnavailable("no sink")
        self.events += events


class Deidentifier:
    """Engine and gate in this process, without a reader of text."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self.policies, self.runs = policies, 0
        self._judge = Judge(GATE_KEY)

    async def run(self, project: str, arena: Arena, claimed: Claimed) -> Verdict:
        await asyncio.sleep(0)
        self.runs += 1
        arena.freeze()
        return self._judge.judge(memoryview(bytes(arena.view())), claimed, self.policies[project])

    async def describe(self, project: str, arena: Arena) -> list[Outcome] | Held:
        await asyncio.sleep(0)
        return self._judge.describe(memoryview(bytes(arena.view())), self.policies[project])


@dataclass
class Site:
    """Views of one PACS: projects ``research`` and ``other``."""

    pacs: Pacs
    policies: dict[str, Policy]
    audit: Audit
    deidentifier: Deidentifier
    crosswalk: Crosswalk
    cache: ViewCache
    known: Known
    search: ViewSearch
    retrieve: ViewRetrieve
    describe: ViewDescribe
    folder: Path

    def view(self, project: str) -> View:
        return View(project, self.pacs, self.policies[project])


@asynccontextmanager
async def viewing(folder: Path, *, pacs: Pacs | None = None, cache_bytes: int = 1 << 28, most: int = 1000,
                  limit: int = 1 << 26, **words: Any) -> AsyncIterator[Site]:  # fmt: skip
    """A site whose data lies below ``folder``; ``words`` change the profile."""
    pacs, audit = pacs or Pacs(), Audit()
    policies = {project: policy_of(project, **words) for project in ("research", "other")}
    deidentifier, gate = Deidentifier(policies), Gate(GATE_KEY)
    database = await Database.open(folder / "veil.db")
    crosswalk, known = Crosswalk(database, bytes(32)), Known()
    cache = ViewCache(folder / "cache", gate, cache_bytes)
    await cache.open()

    def view(project: str) -> View:
        return View(project, pacs, policies[project])

    search = ViewSearch(view, Matches(deidentifier, gate), crosswalk, known, audit, most)
    fetch = ViewFetch(deidentifier, cache, crosswalk, known, audit, limit)
    retrieve = ViewRetrieve(view, fetch, crosswalk, audit)
    describe = ViewDescribe(view, deidentifier, fetch, crosswalk, known, audit)
    yield Site(pacs, policies, audit, deidentifier, crosswalk, cache, known, search, retrieve, describe, folder)
    cache.close()
    await database.close()


def variant(data: bytes, **values: Any) -> bytes:
    """The instance with other values."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    dataset.file_meta.MediaStorageSOPClassUID = UID(dataset.SOPClassUID)
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset)
    return out.getvalue()


def small(number: int, **values: Any) -> bytes:
    """A small identified CT instance of patient ``number``: every value that names somebody holds a marker."""
    dataset = Dataset()
    uid = 100_000_000 + number
    defaults: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "StudyInstanceUID": f"{ROOT}1.{uid}", "SeriesInstanceUID": f"{ROOT}2.{uid}",
        "SOPInstanceUID": f"{ROOT}3.{uid}", "PatientID": f"ZQXIDENT{uid}", "PatientName": f"Zqxplant^N{uid}",
        "PatientBirthDate": f"19{47 + number % 50:02d}0913", "PatientSex": "MF"[number % 2],
        "StudyDate": f"20{10 + number % 10:02d}{1 + number % 12:02d}{1 + number % 28:02d}", "StudyTime": "101112",
        "AccessionNumber": f"ZQXIDENT{number}A", "ReferringPhysicianName": "Zqxplant^Referrer",
        "StudyDescription": f"CT of Zqxplant {uid}", "StudyID": f"ZQXIDENT{number}S", "Modality": "CT",
        "SeriesNumber": 1, "InstanceNumber": 1, "SeriesDescription": "Zqxplant axial",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "InstitutionName": "Zqxplant Hospital", "Rows": 4, "Columns": 4, "BitsAllocated": 16, "BitsStored": 16,
        "HighBit": 15, "PixelRepresentation": 0, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": bytes(32),
    }  # fmt: skip
    for keyword, value in {**defaults, **values}.items():
        setattr(dataset, keyword, value)
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def pacs_of(*files: bytes, **settings: Any) -> Pacs:
    """A PACS that keeps ``files``."""
    pacs = replace(Pacs(), **settings)
    for data in files:
        pacs.keep(data)
    return pacs


def uid(match: Json, level: str) -> str:
    """A match's UID at ``level``."""
    return first_value(match, _TAGS[level])


__all__ = [
    "PEER",
    "ROOT",
    "UID_OF",
    "Audit",
    "Pacs",
    "Site",
    "pacs_of",
    "policy_of",
    "small",
    "uid",
    "variant",
    "viewing",
]
