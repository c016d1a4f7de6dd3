from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from proxy.dicomweb.provider import Client, OpenIdProvider
from proxy.service.callers import CannotJudge, Unknown
from tests.dicomweb.test_jwks import document


class Login:
    """A provider on loopback that says what it is told to say, and keeps what it was asked."""

    def __init__(self) -> None:
        self.root, self.now, self.asked = "", 0.0, list[str]()
        self.metadata: dict[str, Any] = {}
        self.status, self.body, self.forms = 200, b'{"id_token": "a.b.c"}', list[dict[str, str]]()
        self.authorization: str | None = None
        self.down = False

    async def _described(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.down:
            return web.Response(status=503)
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        said = {"issuer": f"{self.root}/r/"} | {name: f"{self.root}/{name}" for name in names} | self.metadata
        return web.Response(body=json.dumps(said).encode())

    async def _token(self, request: web.Request) -> web.Response:
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        self.authorization = request.headers.get("Authorization")
        headers = {"Location": f"{self.root}/elsewhere"} if self.status == 307 else {}
        return web.Response(status=self.status, body=self.body, headers=headers)

    async def _keys(self, request: web.Request) -> web.Response:
        return web.Response(body=document("a"))

    def client(self, secret: str | None = None) -> OpenIdProvider:
        read = (lambda: secret) if secret is not None else None
        return OpenIdProvider(Client(f"{self.root}/r/", "veil console", read), 100.0, lambda: self.now)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Login]:
        app = web.Application()
        app.router.add_get("/r/.well-known/openid-configuration", self._described)
        app.router.add_post("/token_endpoint", self._token)
        app.router.add_post("/elsewhere", self._token)
        app.router.add_get("/jwks_uri", self._keys)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


async def test_what_the_provider_says_of_itself_is_asked_once() -> None:
    async with Login().open() as login:
        provider = login.client()
        for _ in range(3):
            described = await provider.described()
            assert (described.authorization_endpoint, described.names_itself) == (
                f"{login.root}/authorization_endpoint",
                False,
            )
        assert (await provider.key("a")).kid == "a"
        assert len(login.asked) == 1
        login.now, login.metadata = 100.0, {"authorization_response_iss_parameter_supported": True}
        assert (await provider.described()).names_itself
        assert len(login.asked) == 2


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example.org"},
        {"issuer": None},
        {"authorization_endpoint": "http://login.example.org/a"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://login.example.org/a\r\nSet-Cookie: x=y"},
        {"authorization_endpoint": "https://login.example.org/a#fragment"},
        {"token_endpoint": "http://login.example.org/t"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
async def test_a_document_that_leads_astray_is_none(metadata: dict[str, Any]) -> None:
    async with Login().open() as login:
        login.metadata = metadata
        with pytest.raises(CannotJudge):
            await login.client().described()


async def test_a_provider_that_is_down_is_left_alone_for_a_while_and_comes_back() -> None:
    async with Login().open() as login:
        provider, login.down = login.client(), True
        for _ in range(3):
            with pytest.raises(CannotJudge):
                await provider.described()
        assert len(login.asked) == 1
        login.down, login.now = False, 5.0
        await provider.described()


async def test_a_public_client_shows_its_verifier_only() -> None:
    async with Login().open() as login:
        assert await login.client().exchanged("the code", "verifier", "https://veil.test/back") == "a.b.c"
        assert login.authorization is None
        assert login.forms == [
            {
                "grant_type": "authorization_code", "code": "the code", "redirect_uri": "https://veil.test/back",
                "client_id": "veil console", "code_verifier": "verifier",
            }
        ]  # fmt: skip


@pytest.mark.parametrize("ways", [None, ["client_secret_post", "client_secret_basic"], ["private_key_jwt"]])
async def test_a_secret_goes_into_the_header(ways: list[str] | None) -> None:
    async with Login().open() as login:
        login.metadata = {"token_endpoint_auth_methods_supported": ways}
        await login.client("s:c%t").exchanged("c", "v", "b")
        shown = base64.b64encode(b"veil+console:s%3Ac%25t").decode()
        assert login.authorization == f"Basic {shown}"
        assert "client_secret" not in login.forms[0]
        assert login.forms[0]["code_verifier"] == "v"


async def test_a_secret_goes_into_the_form_where_the_provider_takes_it_there_only() -> None:
    async with Login().open() as login:
        login.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        await login.client("secret").exchanged("c", "v", "b")
        assert login.authorization is None
        assert (login.forms[0]["client_id"], login.forms[0]["client_secret"]) == ("veil console", "secret")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": "invalid_grant"}', Unknown),
        (401, b'{"error": "invalid_client"}', Unknown),
        (400, b"<html>", Unknown),
        (500, b"{}", CannotJudge),
        (307, b"", CannotJudge),
        (200, b"{}", CannotJudge),
        (200, b'{"id_token": 7}', CannotJudge),
        (200, b"[" * 100_000, CannotJudge),
        (200, b'{"id_token": "' + b"x" * (1 << 20) + b'"}', CannotJudge),
        (400, b"x" * (2 << 20), CannotJudge),
    ],
)
async def test_what_is_no_token(status: int, body: bytes, error: type[Exception]) -> None:
    async with Login().open() as login:
        login.status, login.body = status, body
        with pytest.raises(error):
            await login.client().exchanged("c", "v", "b")
        assert len(login.forms) == 1, "no redirect is followed with a code"


async def test_the_log_has_neither_code_nor_secret(capsys: pytest.CaptureFixture[str]) -> None:
    async with Login().open() as login:
        for status, body in ((400, b'{"error": "told-in-confidence"}'), (500, b"told-in-confidence")):
            login.status, login.body = status, body
            with pytest.raises((Unknown, CannotJudge)):
                await login.client("a-secret").exchanged("the-code", "the-verifier", "b")
    said = "".join(capsys.readouterr())
    for secret in ("a-secret", "the-code", "the-verifier", "told-in-confidence"):
        assert secret not in said
