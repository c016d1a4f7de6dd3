from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest

from proxy.admission import check_callers, make_access, make_callers
from proxy.auditing import AuditSinks
from proxy.certificates import Certificates
from proxy.commands.init import write_site
from proxy.config import Config, load_config
from proxy.desk import Standing, make_console
from proxy.dicomweb.server import DicomwebServer
from proxy.errors import ConfigError
from proxy.store.accounts import FILE

WITH_TOKENS = "http:\n  auth: {tokens_file: keys/tokens.yaml}\n"


class Audit:
    """Takes records; nothing is asked of its position here."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def record(self, *events: Any) -> None:
        self.events.extend(events)


def site(folder: Path, console: str, tokens: bool) -> Config:
    path = write_site(folder / "site")
    text = path.read_text().replace("http:\n", WITH_TOKENS if tokens else "http:\n", 1)
    path.write_text(f"{text}\nconsole: {console}\n")
    (path.parent / "keys" / "tokens.yaml").write_text("")
    (path.parent / "keys" / "tokens.yaml").chmod(0o600)
    return load_config(path)


def console(config: Config, audit: Any) -> Any:
    stores: Any = Mock(audit=audit, sinks=AuditSinks(config, audit, Certificates({}, audit)))
    stores.ruling.specs, works = {}, Mock()
    works.officers.drawers = {}
    return make_console(config, Standing(stores, works, nothing, nothing))


async def nothing() -> Any:
    raise AssertionError("nobody has signed in")


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[str]:
    audit: Any = Audit()
    absent: Any = None
    access = make_access(config, audit, make_callers(config, audit))
    server = DicomwebServer(
        "127.0.0.1", 0, None, {"research": "research"}, absent, absent, absent, audit, nothing, 1 << 20, 1 << 24,
        access=access, console=console(config, audit),
    )  # fmt: skip
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop(1.0)


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return response.status


@pytest.mark.parametrize("tokens", [False, True])
async def test_people_need_no_token_and_programs_still_do(tmp_path: Path, tokens: bool) -> None:
    async with serving(site(tmp_path, "{enabled: true}", tokens)) as root:
        for path in ("", "/", "/sign-in", "/console.css", "/nothing"):
            assert await status_of(f"{root}/console{path}") == 200
        for path in ("/consoles", "/dicomweb/research/nothing"):
            assert await status_of(root + path) == (401 if tokens else 404)


@pytest.mark.parametrize("console", ["{}", "{enabled: false}"])
async def test_a_site_has_no_console_unless_it_asks_for_one(tmp_path: Path, console: str) -> None:
    async with serving(site(tmp_path, console, tokens=False)) as root:
        for path in ("/console", "/console/sign-in", "/console/console.css"):
            assert await status_of(root + path) == 404


async def test_accounts_that_others_can_read_stop_the_start_and_the_check(tmp_path: Path) -> None:
    config = site(tmp_path, "{enabled: true}", tokens=False)
    check_callers(config)
    config.data_dir.mkdir(exist_ok=True)
    (config.data_dir / FILE).write_text("{}")
    (config.data_dir / FILE).chmod(0o644)
    audit: Any = Audit()
    with pytest.raises(ConfigError, match="others can read"):
        console(config, audit)
    with pytest.raises(ConfigError, match="others can read"):
        check_callers(config)


@pytest.mark.parametrize(
    "console", ["{enabled: true, idle_minutes: 0}", "{session_hours: 999}", "{password: x}", "{enabled: perhaps}"]
)
def test_what_is_no_console_is_refused(tmp_path: Path, console: str) -> None:
    with pytest.raises(ConfigError, match="console"):
        site(tmp_path, console, tokens=False)
