"""The documents say what is so: links lead somewhere, verbs exist, the commented veil.yaml names every setting."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
from pydantic import BaseModel

from proxy.cli import VERBS, veil
from proxy.commands import demo, demo_table
from proxy.config import Config, Project
from proxy.config_auth import Admission, Auth, Oidc
from proxy.config_clinical import ClinicalSystem, CommitmentReports, Requester
from proxy.config_console import Console, ConsoleOidc
from proxy.config_destinations import DicomwebDestination, DimseDestination
from proxy.config_moves import MoveDestination
from proxy.config_peers import Peer
from proxy.config_tls import ClientTls, DimseTls
from proxy.config_upstreams import ArchiveSource, DicomwebSource, DimseSource, Read

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "certs" / "README.md"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEMPLATE = resources.files("proxy.commands").joinpath("veil.yaml.template").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_verbs_exist(page: Path) -> None:
    for verb in re.findall(r"(?:^|`)veil ([a-z][a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert verb in VERBS, f"{page.name} speaks of 'veil {verb}'"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_tests_that_are_named_exist(page: Path) -> None:
    for file, name in re.findall(r"([\w/]+/test_\w+\.py)(?:::(\w+))?", page.read_text(encoding="utf-8")):
        source = ROOT / "tests" / file.removeprefix("tests/")
        assert source.exists(), f"{page.name} names {file}"
        assert f"def {name}" in source.read_text(encoding="utf-8"), f"{page.name} names {file}::{name}"


def test_every_verb_is_registered_under_its_name() -> None:
    for verb in VERBS:
        command = veil.get_command(None, verb)  # type: ignore[arg-type]
        assert command is not None
        assert command.name == verb
        assert command.help or command.short_help


def _settings(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


MODELS = [Config, Project, DimseDestination, DicomwebDestination, ArchiveSource, DimseSource, DicomwebSource, Read]
CLINICAL = [CommitmentReports, Requester, ClinicalSystem]
ADMINISTRATION = (ROOT / "docs" / "administration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", [*MODELS, *CLINICAL, MoveDestination], ids=lambda m: m.__name__)
def test_the_commented_site_names_every_setting(model: type[BaseModel]) -> None:
    said = set(re.findall(r"^#? *#? *([a-z_]+):", TEMPLATE, re.MULTILINE)) | set(re.findall(r"([a-z_]+): ", TEMPLATE))
    assert _settings(model) - said == set()


@pytest.mark.parametrize("model", [ArchiveSource, DimseSource, DicomwebSource, Read], ids=lambda m: m.__name__)
def test_the_administration_page_explains_every_setting_of_reading(model: type[BaseModel]) -> None:
    explained = set(re.findall(r"`([a-z_]+)`", ADMINISTRATION.split("## Reading")[1].split("\n## ")[0]))
    assert _settings(model) - explained == set()


@pytest.mark.parametrize("model", CLINICAL, ids=lambda m: m.__name__)
def test_the_administration_page_explains_every_setting_of_modalities(model: type[BaseModel]) -> None:
    explained = set(re.findall(r"`([a-z_]+)`", ADMINISTRATION.split("## Modalities")[1].split("\n## ")[0]))
    assert _settings(model) - explained == set()


def test_the_administration_page_explains_every_setting_of_workstations() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", ADMINISTRATION.split("## Workstations")[1].split("\n## ")[0]))
    assert _settings(MoveDestination) - explained == set()


def test_the_administration_page_explains_every_setting_of_the_console() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", ADMINISTRATION.split("## People")[1].split("\n## ")[0]))
    assert _settings(Console) - explained == set()


def test_the_commented_site_and_the_console_page_name_every_setting_of_the_console() -> None:
    shown = set(re.findall(r"([a-z_]+):", TEMPLATE.split("# console:")[1].split("\n\n")[0]))
    assert (_settings(Console) | _settings(ConsoleOidc)) - shown == set()
    page = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")
    assert _settings(ConsoleOidc) - set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)) == set()


def test_the_commented_site_names_every_limit() -> None:
    for section in ("dimse", "http", "limits", "workers"):
        model = Config.model_fields[section].annotation
        assert isinstance(model, type)
        for name in _settings(model):
            assert re.search(rf"\b{name}: ", TEMPLATE), f"{section}.{name} is not in the template"


def test_the_readme_shows_the_table_that_the_demo_prints() -> None:
    shown = README.split("<!-- demo -->")[1].split("<!-- /demo -->")[0]
    for name in (*demo._MODALITY, *demo._GATEWAY):
        assert name[:20] in shown
    headings = [str(c.header).split("\n")[0] for c in demo_table.table([], demo_table.Ledger(), set()).columns]
    for heading in headings:
        assert heading in shown


@pytest.mark.parametrize("model", [Auth, Oidc, Admission, DimseTls, ClientTls, Peer], ids=lambda m: m.__name__)
def test_the_security_page_explains_every_setting_of_callers(model: type[BaseModel]) -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert _settings(model) - set(re.findall(r"`([a-z0-9_]+)`", page)) == set()
    assert _settings(model) - set(re.findall(r"\b([a-z0-9_]+): ", TEMPLATE)) - {"auth", "oidc"} == set()
