"""An association without a network, for Query/Retrieve: remembers responses, answers what it is asked to store."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pydicom
from pydicom import Dataset
from pydicom.filereader import read_dataset

from proxy.dimse.association import AssociationLost, Remote
from proxy.dimse.message import Collected, Message
from proxy.dimse.outgoing import Data, File
from proxy.dimse.services import Service
from proxy.service.callers import ANYBODY, Caller
from proxy.wire.command import C_STORE_RQ, RESPONSE, Command
from proxy.wire.dicom_encode import encode
from proxy.wire.dicom_json import Source, to_json
from proxy.wire.negotiation import Acceptance, Context, Request
from proxy.wire.vr import EXPLICIT_LE, IMPLICIT_LE

CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass(frozen=True)
class Response:
    status: int
    identifier: Dataset | None
    elements: dict[str, Any]


@dataclass
class Conversation:
    """Stands in for an `Acceptor`, and for the association of C-MOVE with a third party."""

    project: str = "research"
    caller: Caller = ANYBODY
    extended: bytes = b""
    contexts: dict[int, Context] = field(default_factory=dict)
    #: what a C-STORE is answered with: a status or an error each, then success
    verdicts: list[int | Exception] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    stored: list[tuple[Command, Dataset]] = field(default_factory=list)
    pause: asyncio.Event | None = None
    established: bool = True
    ends: list[str] = field(default_factory=list)
    remote: Remote = field(default_factory=lambda: Remote("192.0.2.9", 104))
    request: Request = field(default_factory=lambda: Request("VEIL", "WS9", ()))
    acceptance: Any = None

    def offer(self, *contexts: tuple[str, str], scp: bool = False) -> Conversation:
        for number, (abstract, syntax) in enumerate(contexts):
            self.contexts[2 * number + 3] = Context(2 * number + 3, abstract, syntax, not scp, scp)
        return self

    def next_id(self) -> int:
        return len(self.stored) + 1

    async def respond(self, message: Message, status: int, data: bytes | None = None, **elements: Any) -> None:
        await asyncio.sleep(0)
        response = message.command.response(status, **elements)
        Command.parse(response.encode(data is not None))
        found = None if data is None else read_dataset(io.BytesIO(data), message.context.syntax == IMPLICIT_LE, True)
        self.responses.append(Response(status, found, elements))

    async def ask(self, context: Context, command: Command, data: Data) -> Message:
        await asyncio.sleep(0)
        if self.pause is not None:
            await self.pause.wait()
        assert command.field == C_STORE_RQ
        verdict = self.verdicts.pop(0) if self.verdicts else 0
        if isinstance(verdict, Exception):
            self.established = not isinstance(verdict, AssociationLost)
            raise verdict
        body = _part(data) if isinstance(data, File) else bytes(data)
        self.stored.append((command, read_dataset(io.BytesIO(body), context.syntax == IMPLICIT_LE, True)))
        return Message(cast(Any, self), context, Command(C_STORE_RQ | RESPONSE, Status=verdict))

    async def release(self) -> None:
        self.established = False
        self.ends.append("released")

    def abort(self) -> None:
        self.established = False
        self.ends.append("aborted")

    def message(self, service: Service, field_: int, abstract: str, keys: Dataset, **elements: Any) -> Message:
        """A request with the identifier ``keys``."""
        proposed = service.extended(abstract, self.extended)
        self.acceptance = Acceptance({}, extended={abstract: proposed} if proposed is not None else {})
        command = Command(field_, AffectedSOPClassUID=abstract, MessageID=7, Priority=0, **elements)
        body = Collected()
        pieces = encode(to_json(keys, Source(lambda where: "", lambda element: b"")))
        body.write(memoryview(b"".join(piece for piece in pieces if isinstance(piece, bytes))))
        return Message(cast(Any, self), Context(1, abstract, EXPLICIT_LE), command, body)

    @property
    def statuses(self) -> list[int]:
        return [response.status for response in self.responses]

    @property
    def final(self) -> Response:
        return self.responses[-1]

    @property
    def instances(self) -> list[str]:
        """SOP Instance UIDs of what was stored."""
        return [str(dataset.SOPInstanceUID) for _, dataset in self.stored]


def _part(file: File) -> bytes:
    return file.path.read_bytes()[file.offset :]


def keys(level: str, **values: Any) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    out = io.BytesIO()
    pydicom.filewriter.dcmwrite(out, dataset, implicit_vr=False, little_endian=True)
    return read_dataset(io.BytesIO(out.getvalue()), False, True)


def part10(folder: Path, data: bytes, name: Sequence[str] = ("1",)) -> Path:
    path = folder.joinpath(*name).with_suffix(".dcm")
    path.write_bytes(data)
    return path
