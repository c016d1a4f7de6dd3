"""The read side of veil.yaml: what is consistent loads, and what is not stops the start with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.config import Config, load_config
from proxy.config_upstreams import DicomwebSource
from proxy.errors import ConfigError

CLINIC = {"type": "dicomweb", "url": "http://127.0.0.1:8043/dicom-web", "authorization_file": "keys/clinic.txt"}
OLD = {"type": "dimse", "host": "127.0.0.1", "port": 4242, "called_ae": "PACS"}
MOVE = {**OLD, "retrieve": "move", "move_ae": "VEIL_MOVE"}


def load(folder: Path, upstreams: dict[str, Any], read: dict[str, Any] | None = None) -> Config:
    project = {"ae_titles": ["VEIL"], "path": "research", "key_file": "a.key", "destinations": ["archive"]}
    document = {
        "version": 1, "node_key_file": "node.key", "destinations": {"archive": {"type": "archive"}},
        "upstreams": upstreams, "projects": {"research": project | ({"read": read} if read else {})},
    }  # fmt: skip
    path = folder / "veil.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_config(path)


def test_a_project_reads_its_archive_by_default(tmp_path: Path) -> None:
    read = load(tmp_path, {}).projects["research"].read
    assert (read.source, read.mode, read.verify) == ("archive", "pass", True)


def test_files_of_upstreams_are_relative_to_the_document(tmp_path: Path) -> None:
    clinic = {**CLINIC, "ca_file": "hospital.pem"}
    config = load(tmp_path, {"clinic": clinic, "old": MOVE}, {"from": "clinic", "mode": "view"})
    source = config.upstreams["clinic"]
    assert isinstance(source, DicomwebSource)
    assert source.authorization_file == tmp_path / "keys" / "clinic.txt"
    assert source.ca_file == tmp_path / "hospital.pem"


@pytest.mark.parametrize(
    ("upstreams", "read", "said"),
    [
        ({}, {"from": "clinic"}, "no upstream is called 'clinic'"),
        ({}, {"from": "archive", "mode": "view"}, "de-identified"),
        ({}, {"from": "archive", "mode": "show"}, "read.mode"),
        ({"own": {"type": "archive", "project": "research"}}, {"from": "own"}, "own archive"),
        ({"own": {"type": "archive", "project": "nobody"}}, None, "no project is called 'nobody'"),
        ({"archive": CLINIC}, None, "this name is taken"),
        ({"old": {**OLD, "retrieve": "move"}}, None, "needs move_ae"),
        ({"old": {**OLD, "move_ae": "X"}}, None, "needs move_ae"),
        ({"old": {**MOVE, "move_ae": "VEIL"}}, None, "already selects 'research'"),
        ({"old": MOVE, "new": MOVE}, None, "already selects 'new'"),
        ({"old": {**OLD, "password": "x"}}, None, "not known"),
    ],
)
def test_what_is_not_consistent_is_refused(
    tmp_path: Path, upstreams: dict[str, Any], read: dict[str, Any] | None, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, upstreams, read)
