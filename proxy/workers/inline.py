"""`InlineDeidentifier`: the same verdicts without processes, for tests and for trusted files. No limits hold here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from proxy.deid.pixels.rendering import Rendered, Rendering
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed
from proxy.errors import Reason, WorkersUnavailable
from proxy.service.ports import Held, Verdict
from proxy.workers.arena import Arena
from proxy.workers.judge import Judge
from proxy.workers.setup import ENGINE, GATE
from proxy.workers.text_reader import make_reader


class InlineDeidentifier:
    """Implements `proxy.service.ports.Deidentifier` in a thread of this process."""

    def __init__(
        self, policies: Mapping[str, Policy], gate_key: bytes, *, engine: str = ENGINE, gate: str = GATE
    ) -> None:
        """``engine`` and ``gate`` name other modules for tests."""
        self._policies = dict(policies)
        self._one_at_a_time = asyncio.Lock()  # the engine changes the process's warning filters
        self._judge = Judge(gate_key, engine, gate, make_reader())

    async def run(self, project: str, arena: Arena, claimed: Claimed) -> Verdict:
        """See `Deidentifier.run`. The arena must stay open until it returns."""
        policy = self._policy(project)
        arena.freeze()
        if arena.size == 0:
            return Held(Reason.NOT_DICOM, "no bytes")
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._judge.judge, arena.view(), claimed, policy)

    async def render(self, project: str, fd: int, wanted: Rendering) -> Rendered | Held:
        """See `proxy.service.render.Renderer`."""
        policy = self._policy(project)
        async with self._one_at_a_time:
            data = await asyncio.to_thread(os.pread, fd, os.fstat(fd).st_size, 0)
            return await asyncio.to_thread(self._judge.render, memoryview(data), wanted, policy)

    def _policy(self, project: str) -> Policy:
        policy = self._policies.get(project)
        if policy is None:
            raise WorkersUnavailable("no policy for this project")
        return policy
