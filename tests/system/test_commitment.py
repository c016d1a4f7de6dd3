"""Storage commitment over the web (PS3.18 13): asked and answered by the sender's UIDs, true after a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.system.harness import Site, until
from tests.system.planting import Planted, fresh
from tests.system.stow import stow

Named = tuple[str, str]
UNKNOWN = ("1.2.840.10008.5.1.4.1.1.2", "1.2.826.0.1.999")
DICOM_JSON = "application/dicom+json"


def request_of(*named: Named) -> dict[str, Any]:
    items = [
        {"00081150": {"vr": "UI", "Value": [kind]}, "00081155": {"vr": "UI", "Value": [uid]}} for kind, uid in named
    ]
    return {"00081199": {"vr": "SQ", "Value": items}}


def named_of(planted: Planted) -> Named:
    return planted.sop_class_uid, planted.sop_instance_uid


def asked(site: Site, transaction: str, document: Any, media: str = DICOM_JSON) -> requests.Response:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return requests.post(
        f"{site.url}/commitment-requests/{transaction}", data=body, headers={"Content-Type": media}, timeout=10
    )


def listed(answer: requests.Response, tag: str) -> list[tuple[str, int]]:
    items = answer.json().get(tag, {}).get("Value", [])
    return [(item["00081155"]["Value"][0], item.get("00081197", {}).get("Value", [0])[0]) for item in items]


def test_what_was_delivered_is_committed_also_after_a_restart(site: Site) -> None:
    here, held = fresh(), fresh("held")
    assert stow(site.http_port, here.part10).status == 200
    stow(site.http_port, held.part10)
    site.drain()
    named = [named_of(here), named_of(held)]
    answer = asked(site, "1.2.3.4.5", request_of(*named, UNKNOWN))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(DICOM_JSON)
    assert listed(answer, "00081199") == [(named[0][1], 0)]
    assert listed(answer, "00081198") == [(named[1][1], 0x0112), (UNKNOWN[1], 0x0112)]
    assert asked(site, "1.2.3.4.5", request_of(named[0])).status_code == 409
    site.stop()
    site.start()
    again = requests.get(f"{site.url}/commitment-requests/1.2.3.4.5", timeout=10)
    assert (again.status_code, again.json()) == (200, answer.json())
    assert requests.get(f"{site.url}/commitment-requests/1.2.3.4.6", timeout=10).status_code == 404


def test_what_is_under_way_is_pending(make_site: Any) -> None:
    """Nobody listens where the instance is to go."""
    nowhere = {"type": "dimse", "host": "127.0.0.1", "port": 9, "called_ae": "NOWHERE", "calling_ae": "VEIL"}
    site = make_site(changes={"destinations.away": nowhere, "projects.research.destinations": ["archive", "away"]})
    site.start()
    here = fresh()
    assert stow(site.http_port, here.part10).status == 200
    until(lambda: len(site.archived()) == 1, 60, "the archive has it")
    answer = asked(site, "1.2.3", request_of(named_of(here)))
    assert (answer.status_code, answer.content) == (202, b"")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("transaction", "document", "media", "status"),
    [
        ("1.2.4", b"", DICOM_JSON, 400),
        ("1.2.4", b"{", DICOM_JSON, 400),
        ("1.2.4", [], DICOM_JSON, 400),
        ("1.2.4", {}, DICOM_JSON, 400),
        ("1.2.4", request_of(), DICOM_JSON, 400),
        ("1.2.4", request_of(("1.2", "x")), DICOM_JSON, 400),
        ("1.2.4", b"[" * 100_000, DICOM_JSON, 400),
        ("1.2.4", b" " * (17 << 20), DICOM_JSON, 413),
        ("1.2.4", request_of(UNKNOWN), "text/plain", 415),
        ("x", request_of(UNKNOWN), DICOM_JSON, 400),
    ],
)  # fmt: skip
def test_what_is_no_request(able: Site, transaction: str, document: Any, media: str, status: int) -> None:
    answer = asked(able, transaction, document, media)
    assert answer.status_code == status, answer.text
    assert requests.get(f"{able.url}/commitment-requests/{transaction}", timeout=10).status_code in (400, 404)
