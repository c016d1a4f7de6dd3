from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from proxy.dicomweb.client import DicomwebSender
from proxy.errors import ConfigError, DeliveryTransient, DestinationRefuses, InstanceRejected
from proxy.service.ports import QueueRow

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def row(uid: str = "2.25.3") -> QueueRow:
    return QueueRow(
        1, "research", "pacs", "x", "0", 0, "1.2", "1.2.840.10008.1.2.1", "2.25.1", "2.25.2", uid, "K", 0, 0.0
    )


@pytest.fixture
async def pacs() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    """``await pacs(handler)`` serves every request with ``handler`` and gives the base URL."""
    runners: list[web.AppRunner] = []

    async def serve(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        return f"http://127.0.0.1:{runner.addresses[0][1]}/dicom-web/"

    yield serve
    for runner in runners:
        await runner.cleanup()


async def send(url: str, path: Path, headers: dict[str, str] | None = None, timeout: float = 5.0) -> None:
    sender = DicomwebSender(url, headers or {}, timeout)
    try:
        await sender.send(row(), path)
    finally:
        await sender.close()


async def test_veil_to_veil(site) -> None:
    path = site.folder / "a"
    path.write_bytes(site.instance())
    sender = DicomwebSender(site.base, {"X-Extra": "1"}, 5.0)
    await sender.send(row(), path)
    await sender.send(row(), path)
    await sender.close()
    await sender.close()
    assert [entry[4] for entry in site.ingest.received] == [path.stat().st_size] * 2


async def test_the_request_is_a_stow_request(pacs, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.update(path=request.path, method=request.method, headers=dict(request.headers), body=await request.read())
        answer = {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["2.25.3"]}}]}}
        return web.Response(body=json.dumps(answer).encode(), content_type="application/dicom+json")

    path = tmp_path / "a"
    path.write_bytes(b"DATA" * 100_000)
    await send(await pacs(handler), path, {"Authorization": "Bearer x"})
    headers = seen["headers"]
    assert (seen["method"], seen["path"]) == ("POST", "/dicom-web/studies")
    assert headers["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert headers["Accept"] == "application/dicom+json"
    assert headers["Authorization"] == "Bearer x"
    assert int(headers["Content-Length"]) == len(seen["body"])
    assert "Transfer-Encoding" not in headers
    boundary = headers["Content-Type"].rsplit("=", 1)[1].encode()
    head, _, rest = seen["body"].partition(b"\r\n\r\n")
    assert head == b"--" + boundary + b"\r\nContent-Type: application/dicom"
    assert rest == b"DATA" * 100_000 + b"\r\n--" + boundary + b"--\r\n"


async def test_redirects_are_not_followed(pacs, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"DATA")
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    with pytest.raises(DestinationRefuses, match="307"):
        await send(await pacs(handler), path)
    assert asked == ["/dicom-web/studies"]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<html>please log in</html>", DeliveryTransient),
        (200, b"[" * 100_000, DeliveryTransient),
        (409, b"", InstanceRejected),
        (401, b"", DestinationRefuses),
        (503, b"", DeliveryTransient),
        (413, b"", InstanceRejected),
    ],
)
async def test_answers(pacs, tmp_path: Path, status: int, body: bytes, kind: type[Exception]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"DATA")

    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=status, body=body)

    with pytest.raises(kind):
        await send(await pacs(handler), path)


async def test_an_endless_answer_is_cut(pacs, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"DATA")

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 100_000)
        return response

    with pytest.raises(DeliveryTransient):
        await send(await pacs(handler), path)


async def test_a_silent_destination_times_out(pacs, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"DATA")

    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    with pytest.raises(DeliveryTransient, match="timeout"):
        await send(await pacs(handler), path, timeout=0.2)


async def test_nobody_there(tmp_path: Path, free_port) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"DATA")
    with pytest.raises(DeliveryTransient, match="connection"):
        await send(f"http://127.0.0.1:{free_port()}", path)


async def test_a_spool_file_that_is_gone(site, tmp_path: Path) -> None:
    with pytest.raises(DeliveryTransient, match="spool FileNotFoundError"):
        await send(site.base, tmp_path / "missing")


@pytest.mark.parametrize(
    "headers", [{"A": "b\r\nX: y"}, {"A\n": "b"}, {"Content-Length": "0"}, {"Ä": "b"}, {"A": "b\0"}]
)
def test_headers_that_are_none(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        DicomwebSender("http://127.0.0.1/", headers, 1.0)


@pytest.mark.parametrize("hang_up", ["abort", "close"])
async def test_a_body_given_up_on_leaves_no_file_open(tmp_path: Path, hang_up: str) -> None:
    """Not even until what is unreachable is collected: a file that is found open then is a warning, at any place."""
    path = tmp_path / "a"
    path.write_bytes(b"DATA" * 8_000_000)
    opened: list[Any] = []

    class Watched(type(path)):  # type: ignore[misc] # the class of paths on this system
        def open(self, *arguments: Any, **named: Any) -> Any:
            opened.append(super().open(*arguments, **named))
            return opened[-1]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"DATA")
        getattr(writer.transport, hang_up)()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        sender = DicomwebSender(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {}, 5.0)
        gc.disable()
        try:
            with pytest.raises(DeliveryTransient):
                await sender.send(row(), Watched(path))
            assert [file.closed for file in opened] == [True]
        finally:
            gc.enable()
            await sender.close()
