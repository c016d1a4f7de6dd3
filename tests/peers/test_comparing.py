"""Orthanc is asked, at the addresses that instances are sent to, what it has of a study."""

from __future__ import annotations

import io
import urllib.request
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest

from proxy.comparing import make_asked
from proxy.config_destinations import DicomwebDestination, DimseDestination
from proxy.service.compare import Compare, Compared
from proxy.service.ports import Peer
from tests.peers.pacs import Orthanc
from tests.service.viewing import ROOT, Audit, small

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]


async def test_what_orthanc_has_lacks_and_has_besides(orthanc: Orthanc) -> None:
    files = [small(1), small(1, SOPInstanceUID=f"{ROOT}3.7", InstanceNumber=2), small(2)]
    for data in files:
        request = urllib.request.Request(f"{orthanc.rest}/instances", data, method="POST")
        urllib.request.urlopen(request, timeout=30).read()
    first = pydicom.dcmread(io.BytesIO(files[0]))
    accepted = frozenset({str(first.SOPInstanceUID), f"{ROOT}3.99"})

    async def delivered(project: str, uid: str) -> dict[str, frozenset[str]]:
        return {"away": accepted, "dimse": accepted, "web": accepted}

    config: Any = SimpleNamespace(
        destinations={
            "web": DicomwebDestination(type="dicomweb", url=orthanc.dicomweb),
            "dimse": DimseDestination(type="dimse", host="127.0.0.1", port=orthanc.dimse_port, called_ae="ORTHANC"),
            "away": DimseDestination(type="dimse", host="127.0.0.1", port=1, called_ae="ORTHANC"),
        }
    )
    nothing: Any = SimpleNamespace(get=lambda name: None)
    compare = Compare(delivered, make_asked(config, nothing, nothing), Audit())
    away, dimse, web = await compare.study("research", str(first.StudyInstanceUID), Peer("console"))
    assert dimse == Compared("dimse", 2, 2, 1, (f"{ROOT}3.99",), 1)
    assert web == Compared("web", 2, 2, 1, (f"{ROOT}3.99",), 1)
    assert away.problem
    assert (away.there, away.lacks) == (0, 0)
