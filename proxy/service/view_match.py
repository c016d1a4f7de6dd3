"""One match of a search on the clinical side, de-identified: the same policy, engine and gate as for an instance.

A match is written as a small instance without pixel data, with UIDs of nobody where its level has none, and read back
when it was released. Only attributes of the standard's tables (`proxy.archive.attributes`) go in, with those that tell
the cleaner of texts whom the match is about, and only those of the tables come out.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections import OrderedDict
from collections.abc import Set
from dataclasses import dataclass

from pydicom import dcmread
from pydicom.dataelem import RawDataElement

from proxy.archive.attributes import COMPUTED, KEPT, LEVELS
from proxy.deid.release import Keyholder
from proxy.deid.types import Claimed, Report, materialise
from proxy.errors import InstanceHeld, Reason
from proxy.service.ports import Arena, Deidentifier, Held, Released
from proxy.wire.dicom_encode import EncodeError, encode, head
from proxy.wire.dicom_json import Json, Source, first_value, to_json
from proxy.wire.vr import EXPLICIT_LE

#: Asked for and never answered: what makes pseudonyms exact and names known to the cleaner of texts.
CONTEXT = {
    "IssuerOfPatientID": "00100021",
    "OtherPatientNames": "00101001",
    "InstitutionName": "00080080",
    "PerformingPhysicianName": "00081050",
    "NameOfPhysiciansReadingStudy": "00081060",
    "OperatorsName": "00081070",
    "RequestingPhysician": "00321032",
}
_UIDS = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}
_ALWAYS = {"00100010", "00100020", "00100030", "0020000D", *CONTEXT.values()}
#: Secondary Capture: any patient's study may hold one
_SOP_CLASS = "1.2.840.10008.5.1.4.1.1.7"
_NOBODY = {
    "00080016": {"vr": "UI", "Value": [_SOP_CLASS]},
    "00080018": {"vr": "UI", "Value": ["2.25.1"]},
    "0020000E": {"vr": "UI", "Value": ["2.25.2"]},
}
_MOST_BYTES = 1 << 20
_REMEMBERED = 20_000
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Match:
    """A released match: every attribute of the tables that it has, and the pseudonyms that the engine gave."""

    json: Json
    report: Report


class Matches:
    """De-identifies matches; what was released is remembered by a keyed digest of what went in."""

    def __init__(self, deidentifier: Deidentifier, gate: Keyholder) -> None:
        """``gate`` admits what the workers' gate released."""
        self._deidentifier, self._gate = deidentifier, gate
        self._remembered: OrderedDict[bytes, Match] = OrderedDict()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def released(self, project: str, digest: str, level: str, match: Json) -> Match | Held:
        """What may be shown of ``match`` under the policy of ``digest``. `WorkersUnavailable`."""
        try:
            data = _instance(level, match)
        except EncodeError as error:
            return Held(Reason.MALFORMED, str(error))
        name = hashlib.sha256(f"{project} {digest} {level} ".encode() + data).digest()
        if name in self._remembered:
            self._remembered.move_to_end(name)
            return self._remembered[name]
        async with self._turns:
            verdict = await self._judged(project, _tags(level) & match.keys() | {"00100020", "00100010"}, data)
        if isinstance(verdict, Match):
            self._remembered[name] = verdict
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return verdict

    async def _judged(self, project: str, wanted: Set[str], data: bytes) -> Match | Held:
        with Arena(_MOST_BYTES) as arena:
            arena.write(data[:_MOST_BYTES])
            verdict = await self._deidentifier.run(project, arena, Claimed())
            if isinstance(verdict, Held):
                return verdict
            try:
                return _read(_admitted(self._gate, verdict, data), wanted, verdict.report)
            except InstanceHeld as held:
                return Held(held.reason, held.detail)


def _instance(level: str, match: Json) -> bytes:
    """``match`` as a Part 10 instance; `EncodeError`."""
    if not first_value(match, _UIDS[level]):
        raise EncodeError("a match without the UID of its level")
    wanted = _tags(level) | _ALWAYS
    kept = {tag: element for tag, element in match.items() if tag in wanted and "BulkDataURI" not in element}
    whole = _NOBODY | kept
    pieces = encode(whole)
    if not all(isinstance(piece, bytes) for piece in pieces):
        raise EncodeError("a match with bulk data")
    uids = (first_value(whole, "00080016"), first_value(whole, "00080018"))
    return head(*uids, EXPLICIT_LE) + b"".join(piece for piece in pieces if isinstance(piece, bytes))


def _tags(level: str) -> set[str]:
    own = {tag for name in LEVELS[: LEVELS.index(level) + 1] for tag in KEPT[name]}
    return own - {tag for _, tag, _ in COMPUTED.values()}


def _admitted(gate: Keyholder, verdict: Released, data: bytes) -> bytes:
    """The released bytes; `InstanceHeld` where they are not those that the gate saw."""
    out = materialise(verdict.chunks, data)
    if not gate.admits(verdict.release, out):
        raise InstanceHeld(Reason.ENGINE_ERROR, "the gate did not release these bytes")
    return out


def _read(data: bytes, wanted: Set[str], report: Report) -> Match:
    json = to_json(dcmread(io.BytesIO(data)), Source(lambda _: "", _nothing))
    return Match({tag: element for tag, element in json.items() if tag in wanted}, report)


def _nothing(element: RawDataElement) -> bytes:
    """A match has no value that was not read with it."""
    return b""
