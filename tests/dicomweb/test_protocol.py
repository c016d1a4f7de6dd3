from __future__ import annotations

import asyncio

import pytest

POST = b"POST /dicomweb/research/studies HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE DOE^JOHN\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Header DOE\r\n\r\n",
        b"GET /DOE" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"\x02\x00\x00\x00DICM DOE^JOHN\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Type: multipart/related; boundary=b\r\n\r\nzz DOE\r\n",
        POST + b"Content-Type: multipart/related; boundary=DOE\x01\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_without_an_echo(site, caplog, request_bytes: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
    writer.write(request_bytes)
    await writer.drain()
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"}")
    writer.close()
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert b"DOE" not in answer
    assert b"Server: Veil\r\n" in answer
    assert b"aiohttp" not in answer
    assert "DOE" not in caplog.text
