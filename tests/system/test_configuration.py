"""``veil init``, ``veil check``, and what keeps ``veil serve`` from starting: one line, status 2, nothing started."""

from __future__ import annotations

import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy import cli
from tests.system.harness import KEYS, Site, quiet_port
from tests.system.modality import c_echo, c_store
from tests.system.planting import fresh

Make = Callable[..., Site]
Verb = Callable[..., "subprocess.CompletedProcess[str]"]


def one_line(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """Status, and a single line on stderr that says ``words``."""
    assert done.returncode == status, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stdout
    for word in words:
        assert word in done.stderr


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_init_writes_a_site_that_checks_and_never_overwrites(make_site: Make, tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    helper = make_site("helper")
    assert helper.veil("init", str(folder)).returncode == 0
    for key in ("node", "research"):
        path = folder / "keys" / f"{key}.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(bytes.fromhex(path.read_text().strip())) == 32
    good = helper.veil("check", "-c", str(folder / "veil.yaml"))
    assert good.returncode == 0, good.stderr
    assert "research" in good.stdout
    before = snapshot(folder)
    one_line(helper.veil("init", str(folder)), 2, "already exists")
    assert snapshot(folder) == before

    (folder / "veil.yaml").unlink()  # the keys alone stand in the way too
    one_line(helper.veil("init", str(folder)), 2, "already exists")
    assert not (folder / "veil.yaml").exists()
    assert snapshot(folder) == {name: raw for name, raw in before.items() if name != "veil.yaml"}


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"projects.research.nonsense": 1}, ["projects.research.nonsense", "not known"]),
    ({"dimse.prot": 104}, ["dimse.prot", "not known"]),
    ({"unheard_of": {}}, ["unheard_of", "not known"]),
    ({"dimse.port": "many"}, ["dimse.port"]),
    ({"dimse.host": "0.0.0.0"}, ["dimse.host", "insecure_network"]),
    ({"projects.research.destinations": ["nowhere"]}, ["projects.research.destinations", "nowhere"]),
    ({"projects.research.profile": "no-such-profile"}, ["no-such-profile"]),
    ({"projects.research.uninspected_pixels": "perhaps"}, ["projects.research.uninspected_pixels"]),
    ({"projects.research.ae_titles": ["A\\B"]}, ["projects.research.ae_titles"]),
    ({"projects.research.key_file": "keys/none.key"}, ["none.key"]),
    ({"audit.sinks": []}, ["audit.sinks"]),
    ({"version": 2}, ["version"]),
]


@pytest.fixture(scope="module")
def resting(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site that is never started; tests put its document back."""
    return Site(tmp_path_factory.mktemp("resting") / "site")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verb:
    """A verb in this process, which has everything imported already."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr("sys.argv", ["veil", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def document(resting: Site) -> Iterator[Site]:
    text = resting.config.read_text()
    yield resting
    resting.config.write_text(text)
    assert not resting.data.exists(), "something was started"


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=[next(iter(changes)) for changes, _ in WRONG])
def test_check_names_what_is_wrong(here: Verb, document: Site, changes: dict[str, Any], words: list[str]) -> None:
    document.edit(changes)
    one_line(here("check", "-c", str(document.config)), 2, *words)


@pytest.mark.parametrize(("changes", "words"), [WRONG[0], WRONG[6], WRONG[9]], ids=["key", "profile", "key file"])
def test_serve_starts_nothing(document: Site, changes: dict[str, Any], words: list[str]) -> None:
    document.edit(changes)
    one_line(document.veil("serve", "-c", str(document.config)), 2, *words)


def test_deid_with_a_wrong_document_starts_nothing(document: Site, tmp_path: Path) -> None:
    document.edit(WRONG[0][0])
    options = ["--out", str(tmp_path / "out"), "-c", str(document.config), "--project", "research"]
    one_line(document.veil("deid", str(document.folder), *options), 2, *WRONG[0][1])
    assert not (tmp_path / "out").exists()


def test_a_document_that_is_none(here: Verb, document: Site) -> None:
    document.config.write_text("dimse: [unclosed")
    one_line(here("check", "-c", str(document.config)), 2, "line ", "not valid YAML")
    one_line(here("check", "-c", str(document.folder / "none.yaml")), 2, "none.yaml", "veil init")


def test_a_key_that_others_can_read(here: Verb, document: Site) -> None:
    key = document.folder / "keys" / "research.key"
    key.chmod(0o644)
    one_line(here("check", "-c", str(document.config)), 2, "research.key", "chmod 600")
    key.chmod(0o600)


def test_a_changed_key_refuses_to_start(make_site: Make) -> None:
    site = make_site()
    site.start()
    assert c_store(site.dimse_port, fresh().part10).status == 0
    site.drain()
    assert site.stop() == 0
    for name, label in (("research", "a"), ("node", "node")):
        path = site.folder / "keys" / f"{name}.key"
        path.write_text(KEYS["b"] + "\n")
        one_line(site.veil("serve", "-c", str(site.config)), 2, "key", name)
        path.write_text(KEYS[label] + "\n")
    site.start()
    assert len(site.archived()) == 1
    assert site.stop() == 0


def test_a_data_folder_has_one_owner(site: Site) -> None:
    rival = site.folder / "rival.yaml"
    ports = {site.dimse_port: quiet_port(), site.http_port: quiet_port()}
    text = site.config.read_text()
    for taken, free in ports.items():
        text = text.replace(str(taken), str(free))
    rival.write_text(text)
    one_line(site.veil("serve", "-c", str(rival)), 2, "already in use")
    assert c_echo(site.dimse_port).status == 0
    assert c_store(site.dimse_port, fresh().part10).status == 0


def test_a_port_that_is_taken_is_said_in_one_line(make_site: Make) -> None:
    site = make_site()
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.dimse_port))
        other.listen()
        done = site.veil("serve", "-c", str(site.config))
    assert done.returncode in (1, 2)
    one_line(done, done.returncode, str(site.dimse_port))
    site.start()  # and nothing of it stands in the way
    assert site.stop() == 0
