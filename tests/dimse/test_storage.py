"""The Storage SCP: what an instance calls itself does not end the association that others come on."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.dimse.servers import Serve
from tests.system.modality import EXPLICIT, Modality

CT = "1.2.840.10008.5.1.4.1.1.2"


async def test_a_name_that_is_no_uid_goes_to_ingest_and_others_follow(serve: Serve, ingest: Any) -> None:
    port = (await serve()).port

    def send() -> list[int]:
        with Modality(port, [(CT, [EXPLICIT])]) as modality:
            statuses = [modality.store(CT, name, b"data").status for name in ("dccc95-99 of somebody", "1.2.3")]
            modality.release()
            return statuses

    assert await asyncio.to_thread(send) == [0, 0]
    assert [claimed.sop_instance_uid for _, _, claimed, _ in ingest.received] == ["dccc95-99 of somebody", "1.2.3"]
