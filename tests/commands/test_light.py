"""Verbs that ask a running proxy, or work on a file, do not wait a second for the engine to be imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT = ("audit", "certs", "health", "init", "quarantine", "reidentify", "reload", "serve", "status", "token", "user")
HEAVY = ("numba", "pydicom", "pynetdicom", "proxy.app")


def imported(module: str, names: tuple[str, ...]) -> list[str]:
    """Those of ``names`` that ``module`` imports."""
    code = f"import sys, {module}; print(*(name for name in {names!r} if name in sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("verb", LIGHT)
def test_the_engine_is_not_imported(verb: str) -> None:
    assert imported(f"proxy.commands.{verb}", HEAVY) == []


@pytest.mark.parametrize("name", ["proxy.console", "proxy.service.oidc", "pynetdicom", "rich", "jinja2", "jwt"])
def test_what_few_sites_need_is_not_imported(name: str) -> None:
    assert imported("proxy.app", (name,)) == []


def test_the_library_brings_no_other_decoders_and_downloads_nothing() -> None:
    assert imported("proxy.lean; proxy.lean.import_pydicom()", ("gdcm", "requests", "tqdm")) == []


def test_a_running_proxy_has_no_engine_in_its_own_process() -> None:
    """Its workers have; a third of a second of every start."""
    assert imported("proxy.app", ("numba", "proxy.deid.engine", "proxy.deid.verify", "proxy.workers.bench")) == []
