"""A destination is asked what it has of a study; what it accepted and does not show is named."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from proxy.errors import AuditUnavailable
from proxy.service.compare import NAMED, Compare, Compared
from proxy.service.ports import Peer
from proxy.service.upstream import Question, UpstreamError
from tests.service.fakes import FakeAudit, World

ANNA = Peer("console", "10.0.0.9", name="user:anna")


@dataclass
class Pacs:
    """`Upstream` that answers, raises, or waits for ever."""

    has: list[str] = field(default_factory=list)
    error: Exception | None = None
    waits: bool = False
    asked: list[Question] = field(default_factory=list)
    closed: bool = False

    async def search(self, question: Question) -> list[dict[str, Any]]:
        self.asked.append(question)
        if self.waits:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        foreign = {"00080018": {"vr": "UI", "Value": ["2.25.9"]}, "0020000D": {"vr": "UI", "Value": ["2.25.8"]}}
        return [foreign, *({"00080018": {"vr": "UI", "Value": [uid]}} for uid in self.has)]

    async def close(self) -> None:
        self.closed = True


class Here:
    """`Compare` before given destinations, of which each accepted as many instances."""

    def __init__(self, accepted: int = 3, seconds: float = 20.0, **pacs: Pacs) -> None:
        self.world = World()
        self.audit, self.pacs = FakeAudit(self.world), pacs
        uids = frozenset(f"2.25.{n:03}" for n in range(accepted))
        self.accepted = dict.fromkeys([*pacs, "gone"] if "gone" not in pacs else pacs, uids)
        self.compare = Compare(self._delivered, self._upstream, self.audit, seconds)

    async def _delivered(self, project: str, uid: str) -> dict[str, frozenset[str]]:
        await self.world.happen("ask")
        return self.accepted

    def _upstream(self, project: str, name: str) -> Any:
        return self.pacs[name]

    async def found(self) -> dict[str, Compared]:
        return {each.destination: each for each in await self.compare.study("research", "2.25.1", ANNA)}


async def test_what_is_there_what_is_missing_and_what_is_besides() -> None:
    here = Here(
        whole=Pacs(["2.25.000", "2.25.001", "2.25.002"]), lost=Pacs(["2.25.000", "2.25.777", "2.25.778"]),
        broken=Pacs(error=UpstreamError("broken", "timeout")),
    )  # fmt: skip
    assert await here.found() == {
        "whole": Compared("whole", 3, 3),
        "lost": Compared("lost", 3, 3, 2, ("2.25.001", "2.25.002"), 2),
        "broken": Compared("broken", 3, problem="timeout"),
        "gone": Compared("gone", 3, problem="no-such-destination"),
    }
    assert here.world.calls == ["record compared", "ask"]
    (event,) = here.audit.events
    assert (event.peer["caller"], event.object["study_instance_uid"]) == ("user:anna", "2.25.1")
    for pacs in here.pacs.values():
        assert pacs.asked == [Question("instance", {"StudyInstanceUID": "2.25.1"})]
        assert pacs.closed


async def test_who_never_answers_is_given_up_and_closed() -> None:
    here = Here(seconds=0.01, silent=Pacs(waits=True))
    assert (await here.found())["silent"].problem == "timeout"
    assert here.pacs["silent"].closed


async def test_of_many_that_are_missing_some_are_named() -> None:
    found = (await Here(accepted=100, empty=Pacs()).found())["empty"]
    assert (found.there, found.lacks, len(found.missing)) == (0, 100, NAMED)


async def test_no_record_nobody_is_asked() -> None:
    here = Here(pacs=Pacs())
    here.world.faults["record compared"] = [AuditUnavailable("full")]
    with pytest.raises(AuditUnavailable):
        await here.found()
    assert here.pacs["pacs"].asked == []
