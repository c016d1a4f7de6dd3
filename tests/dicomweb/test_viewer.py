from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from proxy.dicomweb.forwarded import Hops
from proxy.dicomweb.server import DicomwebServer
from proxy.dicomweb.viewer import Build
from proxy.dicomweb.viewer_config import SignIn
from proxy.errors import ConfigError
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search

PAGE = '<link href="/viewer/app.bundle.css"><script defer src="/viewer/app.bundle.0123456789abcdef.js"></script>'
SCRIPT, WASM = "app.bundle.0123456789abcdef.js", "0ddf166f7a343eda.wasm"
Serve = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build = tmp_path / "build"
    (build / "assets").mkdir(parents=True)
    (build / "index.html").write_text(PAGE)
    (build / SCRIPT).write_text("script();")
    (build / f"{SCRIPT}.gz").write_bytes(gzip.compress(b"script();"))
    (build / WASM).write_bytes(b"\0asm")
    (build / "app.bundle.css").write_text("a{}")
    (build / "assets" / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "secret.txt").write_text("secret")
    return build


@pytest.fixture
def serve(site: Any) -> Serve:
    @asynccontextmanager
    async def started(
        folder: Path | None, public_url: str | None = None, sign_in: SignIn | None = None
    ) -> AsyncIterator[str]:
        search, retrieve = Search(site.archive, site.audit), Retrieve(site.archive, site.audit)
        server = DicomwebServer(
            "127.0.0.1", 0, public_url, {"trial-b": "b", "trial-a": "a"}, site.ingest, search, retrieve, site.audit,
            lambda: None, 1000, 1000, viewer=Build(folder, sign_in) if folder else None,
            hops=Hops([ip_network("127.0.0.0/8")]),
        )  # fmt: skip
        await server.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            await server.stop(0)

    return started


async def ask(site: Any, url: str, **headers: str) -> tuple[int, Any, bytes]:
    async with site.http.get(url, headers=headers) as response:
        return response.status, response.headers, await response.read()


async def test_without_a_viewer_the_answer_says_how_to_get_one(site: Any, serve: Serve) -> None:
    async with serve(None) as base:
        for path in ("/viewer", "/viewer/", "/viewer/app-config.js", "/viewer/viewer?StudyInstanceUIDs=1.2"):
            status, _, body = await ask(site, base + path)
            assert status == 404
            assert "make viewer" in json.loads(body)["error"]


async def test_a_folder_without_a_viewer_stops_the_start(tmp_path: Path, serve: Serve) -> None:
    with pytest.raises(ConfigError, match="viewer_dir"):
        async with serve(tmp_path):
            pass


@pytest.mark.parametrize("path", ["", "/", "/index.html", "/viewer?StudyInstanceUIDs=1.2.3", "/segmentation/trial-a"])
async def test_the_page_is_at_every_route_of_its_own(site: Any, serve: Serve, folder: Path, path: str) -> None:
    async with serve(folder) as base:
        status, headers, body = await ask(site, f"{base}/viewer{path}")
        assert (status, headers["Content-Type"], body.decode()) == (200, "text/html; charset=utf-8", PAGE)
        assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "kind", "caching"),
    [
        (SCRIPT, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        (WASM, "application/wasm", "public, max-age=31536000, immutable"),
        ("app.bundle.css", "text/css; charset=utf-8", "no-cache"),
        ("assets/a.png", "image/png", "no-cache"),
    ],
)
async def test_files_and_their_types(site: Any, serve: Serve, folder: Path, path: str, kind: str, caching: str) -> None:
    async with serve(folder) as base:
        status, headers, body = await ask(site, f"{base}/viewer/{path}")
        assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, kind, caching)
        assert body == (folder / path).read_bytes()
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert (await ask(site, f"{base}/viewer/{path}", **{"If-None-Match": headers["ETag"]}))[0] == 304


async def test_what_is_compressed_already_is_sent_so(site: Any, serve: Serve, folder: Path) -> None:
    async with serve(folder) as base:
        _, headers, body = await ask(site, f"{base}/viewer/{SCRIPT}", **{"Accept-Encoding": "gzip"})
        assert (headers["Content-Encoding"], body) == ("gzip", b"script();")
        assert headers["Content-Type"] == "text/javascript; charset=utf-8"
        _, headers, body = await ask(site, f"{base}/viewer/{SCRIPT}", **{"Accept-Encoding": "identity"})
        assert ("Content-Encoding" in headers, body) == (False, b"script();")


@pytest.mark.parametrize(
    "path", ["../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "assets/../../secret.txt", "/etc/passwd", "a.js"]
)
async def test_nothing_outside_is_served(serve: Serve, folder: Path, path: str) -> None:
    async with serve(folder) as base:
        status, body = await _raw(base, f"/viewer/{path}")
        assert b"secret" not in body
        assert b"root:" not in body
        assert status == 404 or body.decode() == PAGE


async def _raw(base: str, path: str) -> tuple[int, bytes]:
    """A request whose path no client tidies."""

    def ask_plainly() -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    return await asyncio.to_thread(ask_plainly)


async def test_a_page_may_ask_nobody_else(site: Any, serve: Serve, folder: Path) -> None:
    async with serve(folder) as base:
        for path in ("", "/app-config.js", f"/{SCRIPT}"):
            _, headers, _ = await ask(site, f"{base}/viewer{path}")
            rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
            assert rules["default-src"] == "'none'"
            allowed = {source for sources in rules.values() for source in sources.split()}
            assert not [source for source in allowed if "//" in source or source in ("*", "https:", "http:")]
            assert "'unsafe-inline'" not in rules["script-src"]


def configuration(script: bytes) -> dict[str, Any]:
    match = re.search(rb"window\.config = (\{.*\});", script)
    assert match is not None
    found: dict[str, Any] = json.loads(match[1])
    return found


@pytest.mark.parametrize(
    ("public_url", "prefix"), [(None, ""), ("https://veil.example", ""), ("https://hospital.example/veil", "/veil")]
)
async def test_each_project_is_a_data_source(
    site: Any, serve: Serve, folder: Path, public_url: str | None, prefix: str
) -> None:
    async with serve(folder, public_url) as base:
        _, headers, script = await ask(site, f"{base}/viewer/app-config.js")
        config = configuration(script)
        assert headers["Cache-Control"] == "no-cache"
        assert config["routerBasename"] == f"{prefix}/viewer"
        assert f'window.PUBLIC_URL = "{prefix}/viewer/";' in script.decode()
        sources = {source["sourceName"]: source["configuration"] for source in config["dataSources"]}
        assert list(sources) == ["trial-a", "trial-b"]
        assert config["defaultDataSourceName"] == "trial-a"
        for name, source in sources.items():
            assert {source[root] for root in ("qidoRoot", "wadoRoot", "wadoUriRoot")} == {f"{prefix}/dicomweb/{name}"}
        assert "://" not in script.decode()
        _, _, page = await ask(site, f"{base}/viewer")
        assert f'src="{prefix}/viewer/{SCRIPT}"' in page.decode()


async def test_a_reverse_proxy_says_what_stands_before(site: Any, serve: Serve, folder: Path) -> None:
    async with serve(folder) as base:
        hop = {"X-Forwarded-Prefix": "/veil", "X-Forwarded-Host": "hospital.example"}
        _, _, script = await ask(site, f"{base}/viewer/app-config.js", **hop)
        assert configuration(script)["routerBasename"] == "/veil/viewer"
        assert f'src="/veil/viewer/{SCRIPT}"' in (await ask(site, f"{base}/viewer", **hop))[2].decode()


async def test_people_sign_in_with_the_provider_of_the_site(site: Any, serve: Serve, folder: Path) -> None:
    async with serve(folder, None, SignIn("https://login.example:8443/realms/h", "ohif", "openid imaging")) as base:
        _, headers, script = await ask(site, f"{base}/viewer/app-config.js")
        (client,) = configuration(script)["oidc"]
        assert (client["authority"], client["client_id"]) == ("https://login.example:8443/realms/h", "ohif")
        assert (client["scope"], client["response_type"]) == ("openid imaging", "code")
        rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
        foreign = {name: each for name, value in rules.items() for each in value.split() if "//" in each}
        assert foreign == {"connect-src": "https://login.example:8443"}
