from __future__ import annotations

from typing import Any

import pytest

from proxy.dicomweb.server import DicomwebServer
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search

VIEWER = "https://viewer.example"
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "accept"}


@pytest.fixture
async def base(site: Any) -> Any:
    search, retrieve = Search(site.archive, site.audit), Retrieve(site.archive, site.audit)
    server = DicomwebServer(
        "127.0.0.1", 0, None, {"research": "research"}, site.ingest, search, retrieve, site.audit, lambda: None,
        1000, 1000, origins=[VIEWER],
    )  # fmt: skip
    await server.start()
    yield f"http://127.0.0.1:{server.port}/dicomweb/research"
    await server.stop(0)


async def ask(site: Any, method: str, url: str, **headers: str) -> tuple[int, Any]:
    async with site.http.request(method, url, headers=headers) as response:
        return response.status, response.headers


async def test_preflight_and_capabilities_share_a_verb(site: Any, base: str) -> None:
    for path in ("", "/studies", "/studies/1.2/metadata"):
        status, headers = await ask(site, "OPTIONS", base + path, Origin=VIEWER, **PREFLIGHT)
        assert (status, headers["Access-Control-Allow-Origin"]) == (204, VIEWER)
        assert "Accept" in headers["Access-Control-Allow-Headers"]
    status, headers = await ask(site, "OPTIONS", base, Origin=VIEWER)
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "application/vnd.sun.wadl+xml")


@pytest.mark.parametrize("path", ["/studies", "/nothing", "/studies?limit=x"])
async def test_every_answer_is_marked_errors_too(site: Any, base: str, path: str) -> None:
    _, headers = await ask(site, "GET", base + path, Origin=VIEWER)
    assert headers["Access-Control-Allow-Origin"] == VIEWER
    assert "Origin" in headers["Vary"]
    assert "Warning" in headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://viewer.example", VIEWER + ".evil"])
async def test_others_get_no_permission(site: Any, base: str, origin: str) -> None:
    for method, more in (("GET", {}), ("OPTIONS", PREFLIGHT)):
        _, headers = await ask(site, method, base + "/studies", Origin=origin, **more)
        assert not [name for name in headers if name.startswith("Access-Control")]
        assert "Origin" in headers["Vary"]


async def test_nobody_by_default(site: Any) -> None:
    _, headers = await ask(site, "OPTIONS", site.base + "/studies", Origin=VIEWER, **PREFLIGHT)
    assert not [name for name in headers if name.startswith("Access-Control")]
