"""From veil.yaml to the answer: a provider on loopback, its keys, and what callers with its tokens are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from proxy.admission import make_access, make_callers
from proxy.config import load_config
from proxy.dicomweb.server import DicomwebServer
from proxy.service.retrieve import Retrieve
from proxy.service.search import Search
from tests.dicomweb.test_jwks import served
from tests.service.test_oidc import AUDIENCE, ISSUER, jwks, token


def access_of(folder: Path, url: str, audit: Any) -> Any:
    oidc = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": url}
    project = {"ae_titles": ["VEIL"], "path": "research", "key_file": "a.key", "destinations": ["archive"]}
    document = {
        "version": 1, "node_key_file": "node.key", "destinations": {"archive": {"type": "archive"}},
        "projects": {"research": project}, "http": {"auth": {"oidc": oidc}},
    }  # fmt: skip
    path = folder / "veil.yaml"
    path.write_text(yaml.safe_dump(document))
    config = load_config(path)
    return make_access(config, audit, make_callers(config, audit))


async def test_tokens_of_a_provider(site: Any, tmp_path: Path) -> None:
    up = True

    async def keys(request: web.Request) -> web.Response:
        return web.Response(body=jwks()) if up else web.Response(status=500)

    async with served(keys) as url:
        for up in (True, False):
            access = access_of(tmp_path, url, site.audit)
            server = DicomwebServer(
                "127.0.0.1", 0, None, {"research": "research"}, site.ingest, Search(site.archive, site.audit),
                Retrieve(site.archive, site.audit), site.audit, lambda: None, 1, 1, access=access,
            )  # fmt: skip
            await server.start()
            found = []
            for made, path in (
                (token(), "/studies"), (token(), "/studies/1.2"), (token(aud="x"), "/studies"), ("veil_x", "/studies"),
                (token(scope="veil:other:search"), "/studies"), (token(algorithm="PS256"), "/studies"),
            ):  # fmt: skip
                target = f"http://127.0.0.1:{server.port}/dicomweb/research{path}"
                async with site.http.get(target, headers={"Authorization": f"Bearer {made}"}) as response:
                    found.append(response.status)
            await server.stop(0)
            assert found == ([204, 403, 401, 401, 404, 204] if up else [503, 503, 503, 401, 503, 503])
    assert {event.peer.get("caller", "") for event in site.audit.events} == {"oidc:alice", ""}
