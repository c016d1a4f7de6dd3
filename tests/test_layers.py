"""Imports run one way: cli → app → shells → service → {store, audit, archive, workers} → {deid, wire} → errors."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "proxy"

#: room → rooms it may import besides itself. Siblings are absent on purpose.
#: the parts of veil.yaml; each may import those before it
CONFIG = (
    "types",
    "tls",
    "audit",
    "auth",
    "destinations",
    "upstreams",
    "moves",
    "clinical",
    "peers",
    "listening",
    "console",
)
BELOW_SERVICE = {"errors", "deid", "wire"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "deid": {"errors"},
    "wire": {"errors"},
    "store": BELOW_SERVICE,
    "audit": BELOW_SERVICE,
    "archive": BELOW_SERVICE,
    "workers": BELOW_SERVICE | {"lean"},
    "service": BELOW_SERVICE | {"store", "audit", "archive", "workers"},
    "config": {"errors"} | {f"config_{part}" for part in CONFIG},
    **{f"config_{part}": {"errors"} | {f"config_{other}" for other in CONFIG[:at]} for at, part in enumerate(CONFIG)},
    "tls": {"errors", "config_tls"},
    "handshakes": {"errors"},
    "sse": {"service"},
    "lean": set(),
    "logs": {"errors", "lean"},
    "dimse": BELOW_SERVICE | {"service", "store", "audit", "archive", "workers", "logs", "handshakes"},
    "console": BELOW_SERVICE | {"service", "logs", "sse"},
    "dicomweb": BELOW_SERVICE | {"service", "store", "audit", "archive", "workers", "logs", "handshakes", "sse"},
}
#: store, audit, archive and workers implement the protocols of these files, so they may name their types.
PORTS = {"proxy.service.ports", "proxy.service.upstream", "proxy.service.callers", "proxy.service.people"}
TOP = {
    "app",
    "admission",
    "auditing",
    "beginning",
    "certificates",
    "clinical",
    "comparing",
    "identity",
    "reading",
    "cli",
    "commands",
    "control",
    "control_export",
    "control_client",
    "desk",
    "entrance",
    "site",
    "listening",
    "notebook",
    "oidc",
    "operating",
    "querying",
    "stores",
    "works",
    "rules_desk",
    "ruling",
    "__init__",
}

#: PURE rooms may not reach the outside at all.
IMPURE = {
    "os", "socket", "asyncio", "logging", "structlog", "threading", "subprocess", "time", "random", "secrets",
    "pathlib", "tempfile", "shutil", "aiohttp", "pynetdicom", "sqlalchemy", "yaml",
}  # fmt: skip


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "proxy"}
    return names


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    here = room(path)
    if here in TOP:
        return
    wanted = {n for n in imports(path) if n.startswith("proxy.")}
    if here in {"store", "audit", "archive", "workers"}:
        wanted -= PORTS
    rooms = {n.split(".")[1] for n in wanted} - {here}
    rooms -= {n for n in rooms if n.isupper() or n.startswith("__")}  # constants of proxy/__init__.py
    assert rooms <= ALLOWED[here], f"{here} may not import {sorted(rooms - ALLOWED[here])}"


PURE = [p for p in FILES if room(p) in {"deid", "wire"}]


@pytest.mark.parametrize("path", PURE, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_is_pure(path: Path) -> None:
    outside = {n.split(".")[0] for n in imports(path)} & IMPURE
    assert not outside, f"{path.name} reaches outside: {sorted(outside)}"


def test_only_app_imports_everything() -> None:
    for path in FILES:
        if room(path) not in TOP:
            assert "proxy.app" not in imports(path)
