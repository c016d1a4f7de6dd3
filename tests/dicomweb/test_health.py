from __future__ import annotations

import asyncio


async def test_live_and_ready(site) -> None:
    root = f"http://127.0.0.1:{site.server.port}"
    async with site.http.get(root + "/livez") as response:
        assert (response.status, await response.json()) == (200, {"live": True})
    async with site.http.get(root + "/readyz") as response:
        assert (response.status, await response.json()) == (200, site.state)
    site.state["ready"] = False
    async with site.http.get(root + "/readyz") as response:
        assert response.status == 503


async def test_stop_waits_for_what_is_under_way_and_refuses_what_is_new(site) -> None:
    release = asyncio.Event()
    original = site.ingest.receive

    async def slow(*arguments):
        await release.wait()
        return await original(*arguments)

    site.ingest.receive = slow
    sending = asyncio.create_task(site.stow(site.multipart(site.instance())))
    while site.server._in_flight._count == 0:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    stopping = asyncio.create_task(site.server.stop(5.0))
    await asyncio.sleep(0.05)
    assert not stopping.done()
    release.set()
    status, _, _ = await sending
    assert status == 200
    await stopping


async def test_stop_does_not_wait_longer_than_its_grace(site, monkeypatch) -> None:
    async def never(*_):
        await asyncio.Event().wait()

    site.ingest.receive = never
    sending = asyncio.create_task(site.stow(site.multipart(site.instance())))
    while site.server._in_flight._count == 0:
        await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        await site.server.stop(0.1)
    assert (await asyncio.gather(sending, return_exceptions=True))[0].__class__.__name__.startswith(
        ("Server", "Client")
    )
