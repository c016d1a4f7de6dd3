"""Ready is who can be sent to: not before both servers listen, and not any more as soon as one stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.app import App
from proxy.commands.init import write_site
from proxy.config import load_config
from proxy.dicomweb.server import DicomwebServer
from proxy.dimse.server import DimseServer


@pytest.mark.parametrize("server", [DicomwebServer, DimseServer])
async def test_ready_while_both_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: Any, server: type[Any]
) -> None:
    path = write_site(tmp_path / "site")
    document = yaml.safe_load(path.read_text())
    document["dimse"]["port"], document["http"]["port"] = free_port(), free_port()
    document["workers"] = {"count": 1}
    path.write_text(yaml.safe_dump(document))
    app = App(load_config(path))
    seen: dict[str, list[bool]] = {"start": [], "stop": []}

    def watched(step: str) -> None:
        real = getattr(server, step)

        async def act(self: Any, *arguments: Any) -> Any:
            seen[step].append((await app.readiness())["ready"])
            done = await real(self, *arguments)
            seen[step].append((await app.readiness())["ready"])
            return done

        monkeypatch.setattr(server, step, act)

    watched("start")
    watched("stop")
    await app.start()
    assert (await app.readiness())["ready"]
    await app.stop(0)
    assert seen == {"start": [False, False], "stop": [False, False]}
