"""How associations end, with something under way: what was queued, half a file, no descriptor left."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from proxy.dimse import stock
from proxy.dimse.connecting import connect
from proxy.dimse.exchange import AssociationLost
from proxy.dimse.outgoing import File
from tests.dimse.servers import Serve
from tests.dimse.test_connecting import CT, store_rq, to


async def test_what_is_queued_is_not_begun_once_the_association_is_over(serve: Serve, ingest: Any) -> None:
    server = await serve()
    ingest.gate = asyncio.Event()
    association = await connect(to(server.port), [CT])
    asked = [asyncio.create_task(association.ask(association.contexts[3], store_rq(n), b"xx")) for n in range(1, 6)]
    while not ingest.received:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await server.stop(0)
    assert time.monotonic() - began < 20
    assert len(ingest.received) == 1
    for one in asked:
        with pytest.raises(AssociationLost):
            await one


async def test_who_gives_up_in_the_middle_of_a_file_leaves_no_half_message(
    serve: Serve, ingest: Any, tmp_path: Path
) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(32 << 20))
    server = await serve()
    association = await connect(to(server.port), [CT])
    for peer in server._associated:
        peer.stream.rest(True)  # who reads nothing
    asked = asyncio.create_task(association.ask(association.contexts[3], store_rq(1), File(file, 0)))
    while not association.stream._room:  # the way is full
        await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert association.how == "aborted"
    with pytest.raises(AssociationLost):
        await association.ask(association.contexts[3], store_rq(2), b"xx")
    await association.gone.wait()
    assert ingest.received == []


async def test_without_a_descriptor_for_the_data_set_the_sender_is_told_and_may_try_again(
    serve: Serve, ingest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(limit: int) -> None:
        raise OSError(24, "too many open files")

    association = await connect(to((await serve()).port), [CT])
    with monkeypatch.context() as patch:
        patch.setattr(stock, "Arena", none_left)
        answer = await association.ask(association.contexts[3], store_rq(1), bytes(300_000))
    assert answer.command.status == 0xA700
    assert (await association.ask(association.contexts[3], store_rq(2), b"xx")).command.status == 0
    await association.release()
