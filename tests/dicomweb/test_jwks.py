from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519
from jwt.algorithms import OKPAlgorithm

from proxy.dicomweb.jwks import Jwks, from_file, from_url
from proxy.service.callers import CannotJudge, Unknown


def document(*kids: str | None) -> bytes:
    key = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True)
    return json.dumps({"keys": [{**key, **({"kid": kid} if kid else {})} for kid in kids]}).encode()


class Provider:
    """Gives ``body``, or raises what it is; counts."""

    def __init__(self, body: Any) -> None:
        self.body, self.asked, self.now = body, 0, 0.0

    async def fetch(self) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.body, Exception):
            raise self.body
        return self.body

    def keys(self, lifetime: float = 1000) -> Jwks:
        return Jwks(self.fetch, lifetime, lambda: self.now)


async def test_a_new_key_is_learned_and_strangers_do_not_hammer_the_provider() -> None:
    provider = Provider(document("a", "b"))
    keys = provider.keys()
    assert {(await keys.key("a")).kid, (await keys.key("b")).kid} == {"a", "b"}
    assert provider.asked == 1
    provider.body, provider.now = document("c"), 31.0
    assert (await keys.key("c")).kid == "c"
    with pytest.raises(Unknown, match="unknown-key"):
        await keys.key("a")
    results = await asyncio.gather(*(keys.key(f"x{n}") for n in range(50)), return_exceptions=True)
    assert all(isinstance(each, Unknown) for each in results)
    assert provider.asked == 2
    provider.now = 62.0
    await asyncio.gather(*(keys.key(f"x{n}") for n in range(50)), return_exceptions=True)
    assert provider.asked == 3


async def test_without_a_name_only_a_lone_key_is_meant() -> None:
    assert (await Provider(document(None)).keys().key(None)).kid is None
    with pytest.raises(Unknown):
        await Provider(document("a", "b")).keys().key(None)


@pytest.mark.parametrize("wrong", [OSError(), TimeoutError(), b"{}", b"<html>", b""])
async def test_a_provider_that_cannot_be_asked_lets_nobody_in(wrong: Any) -> None:
    provider = Provider(wrong)
    keys = provider.keys()
    for _ in range(3):
        with pytest.raises(CannotJudge):
            await keys.key("a")
    assert provider.asked == 1
    provider.body, provider.now = document("a"), 30.0
    assert (await keys.key("a")).kid == "a"


async def test_known_keys_outlive_a_short_failure_and_no_long_one() -> None:
    provider = Provider(document("a"))
    keys = provider.keys()
    await keys.key("a")
    provider.body, provider.now = OSError(), 600.0
    assert (await keys.key("a")).kid == "a"
    with pytest.raises(CannotJudge):
        await keys.key("b")
    provider.now = 1000.0
    with pytest.raises(CannotJudge):
        await keys.key("a")


async def test_a_key_that_was_withdrawn_is_forgotten() -> None:
    provider = Provider(document("a"))
    keys = provider.keys()
    await keys.key("a")
    provider.body, provider.now = document("b"), 500.0
    with pytest.raises(Unknown):
        await keys.key("a")


@asynccontextmanager
async def served(handler: Any) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/keys", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    await runner.cleanup()


async def test_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    async def good(request: web.Request) -> web.Response:
        return web.Response(body=document("a"))

    async def moved(request: web.Request) -> web.Response:
        if "here" in request.query:
            return await good(request)
        raise web.HTTPFound("/keys?here")

    async def large(request: web.Request) -> web.Response:
        return web.Response(body=b" " * (2 << 20))

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with served(good) as url:
        assert (await Jwks(from_url(url), 100).key("a")).kid == "a"
    monkeypatch.setattr("proxy.dicomweb.jwks._TIMEOUT", 0.2)
    for wrong in (moved, large, slow):
        async with served(wrong) as url:
            with pytest.raises(CannotJudge):
                await Jwks(from_url(url), 100).key("a")
    with pytest.raises(CannotJudge):
        await Jwks(from_url(url), 100).key("a")  # nobody listens there any more


async def test_a_file_is_read_again(tmp_path: Path) -> None:
    path, now = tmp_path / "jwks.json", [0.0]
    keys = Jwks(from_file(path), 100, lambda: now[0])
    with pytest.raises(CannotJudge):
        await keys.key("a")
    path.write_bytes(document("a"))
    now[0] = 30.0
    assert (await keys.key("a")).kid == "a"
