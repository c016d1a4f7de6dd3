"""A view in a running Veil: the archive of one project read through another one, under that one's key and rules."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from pydicom import Dataset, dcmread

from tests.system.harness import KEYS, Site, until
from tests.system.modality import c_store
from tests.system.planting import fresh

_PROFILE = "version: 1\nname: mine\nextends: research\n"


def _json(site: Site, path: str) -> Any:
    status, body = site.get(f"/dicomweb/{path}", "application/dicom+json", timeout=60)
    assert status in (200, 204), status
    return json.loads(body) if body else []


def _instance(site: Site) -> Dataset:
    (study,) = _json(site, "second/studies")
    (series,) = _json(site, f"second/studies/{study['0020000D']['Value'][0]}/series")
    base = f"/dicomweb/second/studies/{study['0020000D']['Value'][0]}/series/{series['0020000E']['Value'][0]}"
    (instance,) = _json(site, f"{base.removeprefix('/dicomweb/')}/instances")
    path = f"{base}/instances/{instance['00080018']['Value'][0]}"
    (metadata,) = _json(site, f"{path.removeprefix('/dicomweb/')}/metadata")
    assert metadata["00080018"] == instance["00080018"]
    for route, accept in (("rendered", "image/jpeg"), ("thumbnail", "image/jpeg"), ("frames/1", "*/*")):
        assert site.get(f"{path}/{route}", accept, timeout=60)[0] == 200, route
    status, body = site.get(path, "application/dicom", timeout=60)
    assert status == 200
    return dcmread(io.BytesIO(body))


def test_a_view_has_pseudonyms_and_rules_of_its_own(make_site: Callable[..., Site]) -> None:
    site = make_site()
    (site.folder / "keys" / "second.key").write_text(KEYS["b"] + "\n")
    (site.folder / "keys" / "second.key").chmod(0o600)
    (site.folder / "profiles").mkdir()
    (site.folder / "profiles" / "mine.yaml").write_text(_PROFILE)
    second = {
        "ae_titles": ["SECOND"], "path": "second", "profile": "mine", "key_file": "keys/second.key",
        "destinations": ["archive"], "read": {"from": "first", "mode": "view"},
    }  # fmt: skip
    site.edit({"upstreams": {"first": {"type": "archive", "project": "research"}}, "projects.second": second})
    site.start()
    c_store(site.dimse_port, fresh().part10)
    until(lambda: bool(_json(site, "research/studies")), 30, "the instance is in the archive")
    (first,) = _json(site, "research/studies")
    before = _instance(site)
    assert before.PatientIdentityRemoved == "YES"
    assert before.StudyInstanceUID != first["0020000D"]["Value"][0]
    assert before.PatientID != first["00100020"]["Value"][0]
    assert "KVP" in before
    assert len(list((site.data / "cache").iterdir())) == 1
    (site.folder / "profiles" / "mine.yaml").write_text(
        _PROFILE + "rules:\n  - match: {keyword: KVP}\n    do: remove\n"
    )
    assert site.veil("reload", "-c", str(site.config)).returncode == 0
    after = _instance(site)
    assert "KVP" not in after
    assert after.SOPInstanceUID == before.SOPInstanceUID
    assert site.stop() == 0
