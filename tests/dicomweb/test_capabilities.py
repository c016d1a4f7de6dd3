from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from proxy.dicomweb.resources import RESOURCES

WADL = "{http://wadl.dev.java.net/2009/02}"


async def options(site: Any, path: str, **headers: str) -> tuple[int, bytes, Any]:
    async with site.http.options(site.base + path, headers=headers) as response:
        return response.status, await response.read(), response.headers


def below(tree: Any, around: str = "") -> list[tuple[str, str]]:
    found = []
    for resource in tree.findall(WADL + "resource"):
        path = f"{around}/{resource.get('path')}"
        found += [(method.get("name"), path) for method in resource.findall(WADL + "method")] + below(resource, path)
    return found


async def test_wadl_names_every_resource(site: Any) -> None:
    for path in ("", "/"):
        status, body, headers = await options(site, path)
        assert (status, headers["Content-Type"]) == (200, "application/vnd.sun.wadl+xml; charset=utf-8")
    (resources,) = ElementTree.fromstring(body)
    assert resources.get("base") == site.base + "/"
    assert sorted(below(resources)) == sorted((row.method, row.path) for row in RESOURCES)


async def test_json_and_304(site: Any) -> None:
    status, body, headers = await options(site, "", Accept="application/json")
    assert status == 200
    assert b'"SearchForStudies"' in body
    status, body, _ = await options(site, "", **{"Accept": "application/json", "If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")
    assert (await options(site, "", Accept="image/png"))[0] == 406


async def test_allow_of_a_resource(site: Any) -> None:
    status, body, headers = await options(site, "/studies")
    assert (status, body, headers["Allow"]) == (204, b"", "GET, HEAD, OPTIONS, POST")
    assert (await options(site, "/studies/1.2/series/1.3/instances/1.4/bulkdata/00091010"))[2]["Allow"] == (
        "GET, HEAD, OPTIONS"
    )


async def test_an_unknown_project_has_none(site: Any) -> None:
    async with site.http.options(site.base.replace("research", "nobody")) as response:
        assert response.status == 404
