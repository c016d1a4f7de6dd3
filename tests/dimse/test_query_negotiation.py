"""Query/Retrieve on real associations, asked by our own requestor: negotiation, roles, cancel, sub-operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.archive.archive import EmbeddedArchive
from proxy.dimse.association import Association
from proxy.dimse.connecting import connect
from proxy.dimse.message import Message
from proxy.dimse.query_models import FIND, GET, MOVE
from proxy.dimse.requestor import Destination
from proxy.dimse.services import Service
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from proxy.wire.command import C_FIND_RQ, C_GET_RQ, Command
from proxy.wire.dicom_encode import encode
from proxy.wire.dicom_json import Source, to_json
from proxy.wire.implicit import implicit
from proxy.wire.negotiation import ProposedContext
from proxy.wire.vr import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from tests.dimse.conversation import CT, keys, part10
from tests.dimse.test_query_find import Search as Many
from tests.peers.querying import querying
from tests.service.fakes import Audit
from tests.service.viewing import ROOT, small

STUDY_FIND, STUDY_GET = sorted(FIND)[1], sorted(GET)[1]
STUDY = f"{ROOT}1.100000001"


class Receiver(Service):
    """The requester's side of C-GET."""

    def __init__(self) -> None:
        self.instances: list[str] = []

    def syntaxes(self, abstract: str) -> Collection[str] | None:
        return (EXPLICIT_LE,) if abstract == CT else None

    async def serve(self, message: Message) -> None:
        self.instances.append(message.command.text("AffectedSOPInstanceUID"))
        await message.respond(0)


@asynccontextmanager
async def associated(port: int, *proposed: tuple[str, str], **more: Any) -> AsyncIterator[Association]:
    contexts = [ProposedContext(2 * n + 1, uid, (syntax,)) for n, (uid, syntax) in enumerate(proposed)]
    association = await connect(Destination("127.0.0.1", port, "VEIL", "WS9", 10.0), contexts, **more)
    yield association
    await association.release()


def command(field: int, abstract: str, association: Association) -> Command:
    return Command(field, AffectedSOPClassUID=abstract, MessageID=association.next_id(), Priority=0)


def identifier(level: str, **values: Any) -> bytes:
    pieces = encode(to_json(keys(level, **values), Source(lambda where: "", lambda element: b"")))
    return b"".join(piece for piece in pieces if isinstance(piece, bytes))


async def test_contexts_and_what_is_extended() -> None:
    models = sorted([*FIND, *GET, *MOVE])
    proposed = [(uid, syntax) for uid in models for syntax in (EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE, EXPLICIT_BE)]
    asked = {STUDY_FIND: b"\1\1\1\1\1", STUDY_GET: b"\1\1"}
    async with (
        querying(None, None, Audit(), {}) as port,
        associated(port, *proposed, extended=asked, roles={CT: (True, True)}) as association,
    ):
        agreed = [(context.abstract, context.syntax) for context in association.contexts.values()]
        assert agreed == [(uid, syntax) for uid, syntax in proposed if syntax != EXPLICIT_BE]
        assert association.acceptance is not None
        assert association.acceptance.extended == {STUDY_FIND: b"\1\0\0\0\0", STUDY_GET: b"\1\0"}


@pytest.mark.parametrize(("extended", "final"), [({STUDY_FIND: b"\1"}, 0x0000), ({}, 0xA900)])
async def test_relational_queries_where_they_were_negotiated(extended: dict[str, bytes], final: int) -> None:
    async with (
        querying(Many(0), None, Audit(), {}) as port,
        associated(port, (STUDY_FIND, EXPLICIT_LE), extended=extended) as association,
    ):
        asks = association.asks(
            association.contexts[1], command(C_FIND_RQ, STUDY_FIND, association), identifier("SERIES", Modality="CT")
        )
        assert [answer.command.status async for answer in asks] == [final]


async def test_who_stops_listening_is_not_told_the_rest() -> None:
    search = Many(20_000)
    async with (
        querying(search, None, Audit(), {}) as port,
        associated(port, (STUDY_FIND, EXPLICIT_LE)) as association,
    ):
        asks = association.asks(
            association.contexts[1], command(C_FIND_RQ, STUDY_FIND, association), identifier("STUDY")
        )
        async with aclosing(asks):
            async for answer in asks:
                assert answer.command.status == 0xFF00
                break
    assert search.asked[-1][3].offset < 19_000


async def test_instances_come_back_where_the_roles_allow(tmp_path: Path) -> None:
    kept, audit = EmbeddedArchive(tmp_path / "archive"), Audit()
    await kept.start()
    for n in range(1, 4):
        data = small(1, SOPInstanceUID=f"{ROOT}3.{n}")
        await kept.store("research", part10(tmp_path, data, (str(n),)))
    for role, number, final in ((True, 3, 0x0000), (False, 0, 0xA702)):
        receiver = Receiver()
        async with (
            querying(Search(kept, audit), Retrieve(kept, audit), audit, {}) as port,
            associated(
                port, (STUDY_GET, IMPLICIT_LE), (CT, EXPLICIT_LE), roles={CT: (False, role)}, services=[receiver]
            ) as association,
        ):
            asked = identifier("STUDY", StudyInstanceUID=STUDY)
            asks = association.asks(
                association.contexts[1], command(C_GET_RQ, STUDY_GET, association), b"".join(implicit(asked))
            )
            answers = [answer async for answer in asks]
        assert (len(receiver.instances), answers[-1].command.status) == (number, final)
    await kept.close()
