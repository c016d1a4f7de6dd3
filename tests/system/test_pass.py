"""Pass-through in a running Veil: the released instances of one project, read as they are through another one."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from pydicom import dcmread

from tests.system.harness import KEYS, Site, quiet_port, until
from tests.system.modality import c_echo, c_store
from tests.system.planting import fresh

#: the second project's profile removes what the first one's keeps
_STRICTER = "version: 1\nname: stricter\nextends: research\nrules:\n  - match: {keyword: KVP}\n    do: remove\n"


def _json(site: Site, path: str) -> Any:
    status, body = site.get(f"/dicomweb/{path}", "application/dicom+json", timeout=60)
    assert status in (200, 204), status
    return json.loads(body) if body else []


def _project(name: str, path: str, profile: str, verify: bool) -> dict[str, Any]:
    return {
        "ae_titles": [name.upper()], "path": path, "profile": profile, "key_file": f"keys/{name}.key",
        "destinations": ["archive"], "read": {"from": "first", "mode": "pass", "verify": verify},
    }  # fmt: skip


def test_released_instances_pass_and_a_stricter_profile_holds_them(make_site: Callable[..., Site]) -> None:
    site = make_site()
    for number, name in enumerate(("same", "strict", "trusting"), start=1):
        (site.folder / "keys" / f"{name}.key").write_text(f"{number:02x}" * 32 + "\n")
        (site.folder / "keys" / f"{name}.key").chmod(0o600)
    (site.folder / "profiles").mkdir()
    (site.folder / "profiles" / "stricter.yaml").write_text(_STRICTER)
    site.edit(
        {
            "upstreams": {"first": {"type": "archive", "project": "research"}},
            "projects.same": _project("same", "same", "research", True),
            "projects.strict": _project("strict", "strict", "stricter", True),
            "projects.trusting": _project("trusting", "trusting", "stricter", False),
        }
    )
    site.start()
    c_store(site.dimse_port, fresh().part10)
    until(lambda: bool(_json(site, "research/studies")), 30, "the instance is in the archive")
    (study,) = _json(site, "research/studies")
    uid = study["0020000D"]["Value"][0]
    (instance,) = _json(site, f"research/studies/{uid}/instances")
    series, own = (instance[tag]["Value"][0] for tag in ("0020000E", "00080018"))
    path = f"studies/{uid}/series/{series}/instances/{own}"
    wanted = site.get(f"/dicomweb/research/{path}", "application/dicom", timeout=60)
    assert "KVP" in dcmread(io.BytesIO(wanted[1]))
    for project in ("same", "trusting"):
        assert _json(site, f"{project}/studies")[0]["0020000D"]["Value"] == [uid]
        assert site.get(f"/dicomweb/{project}/{path}", "application/dicom", timeout=60) == wanted
        assert _json(site, f"{project}/{path}/metadata")[0]["00080018"]["Value"] == [own]
    status, body = site.get(f"/dicomweb/strict/{path}", "application/dicom", timeout=60)
    assert status == 502
    assert uid not in body.decode()
    assert site.get("/dicomweb/same/studies/1.2.3.4", "multipart/related", timeout=60)[0] == 404


def test_nobody_can_send_to_the_destination_of_c_move_unasked(make_site: Callable[..., Site]) -> None:
    site = make_site()
    (site.folder / "keys" / "second.key").write_text(KEYS["b"] + "\n")
    (site.folder / "keys" / "second.key").chmod(0o600)
    old = {
        "type": "dimse", "host": "127.0.0.1", "port": quiet_port(), "called_ae": "OLD", "retrieve": "move",
        "move_ae": "VEIL_MOVE", "timeout_seconds": 2,
    }  # fmt: skip
    second = {
        "ae_titles": ["SECOND"], "path": "second", "key_file": "keys/second.key", "destinations": ["archive"],
        "read": {"from": "old", "mode": "view"},
    }  # fmt: skip
    site.edit({"upstreams": {"old": old}, "projects.second": second})
    site.start()
    assert c_echo(site.dimse_port, "VEIL_MOVE").status == 0
    assert c_store(site.dimse_port, fresh().part10, "VEIL_MOVE").status == 0x0110
    assert c_store(site.dimse_port, fresh().part10).status == 0
    until(lambda: bool(_json(site, "research/studies")), 30, "the instance is in the archive")
    assert len(_json(site, "research/studies")) == 1
    assert site.get("/dicomweb/second/studies", "application/dicom+json", timeout=30)[0] == 502
    assert site.stop() == 0
