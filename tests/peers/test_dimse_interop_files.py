"""Every file of pydicom and pydicom-data that dcmsend can read, in its transfer syntax, through a running Veil.

What storescp takes by itself Veil takes too, and each leaves de-identified in the same transfer syntax or is held for a
reason. This is about the wire: nobody reads the pixels for text here (`test_system_corpus` does).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import data_store
import pydicom
import pytest

from proxy.errors import MALFORMED_REASONS, Reason
from tests.peers.pacs import listening
from tests.system.harness import Site, quiet_port

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]
BUNDLED = Path(pydicom.__file__).parent / "data"
FOLDERS = (BUNDLED / "test_files", BUNDLED / "charset_files", Path(data_store.__file__).parent / "data")
PROFILE = 'version: 1\nname: wire\nextends: research\npixels: {text: "off"}\n'
SUCCESS = "0x0000"
NOT_SENT = "<not sent>"
#: all files in it lack a Study Instance UID
JPEG_LS_LOSSY = "1.2.840.10008.1.2.4.81"


@contextmanager
def storescp(program: Callable[[str], Path], folder: Path) -> Iterator[int]:
    """One that keeps every file as it comes; its port."""
    folder.mkdir()
    port = quiet_port()
    command = [program("storescp"), "+xa", "+B", "-pm", "--unique-filenames", "-od", folder, port]
    with listening(list(map(str, command)), port, folder.with_suffix(".log")):
        yield port


@pytest.fixture
def veil(program: Callable[[str], Path], tmp_path: Path) -> Iterator[Site]:
    """It delivers to a storescp, which serves one association at a time, that keeps in ``pacs``."""
    with storescp(program, tmp_path / "pacs") as port:
        pacs = {"type": "dimse", "host": "127.0.0.1", "port": port, "called_ae": "PACS", "associations": 1}
        project = {"profile": "wire", "blank_patient_id": "per-study", "uninspected_pixels": "forward"}
        changes = {f"projects.research.{key}": value for key, value in project.items()}
        site = Site(tmp_path / "site", {"destinations": {"pacs": pacs}, "projects.research.destinations": ["pacs"]})
        site.edit(changes)
        (site.folder / "profiles").mkdir(exist_ok=True)
        (site.folder / "profiles" / "wire.yaml").write_text(PROFILE)
        site.start()
        yield site
        site.end()


def dcmsend(program: Path, port: int, report: Path) -> dict[str, tuple[str, str]]:
    """File → transfer syntax on the network and status, of all that were sent in that order."""
    command = [program, "-nuc", "-nh", "-dn", "-aec", "VEIL", "+crf", report, "127.0.0.1", port, "+sd", "+r", *FOLDERS]
    impatient = os.environ | {"TCP_NODELAY": "1"}  # or storescp waits 40 ms for each half of an instance
    subprocess.run(list(map(str, command)), capture_output=True, timeout=150, check=False, env=impatient)
    told: dict[str, tuple[str, str]] = {}
    for block in report.read_text(errors="replace").split("\n\n"):
        said = dict(re.findall(r"^(Filename|Network Xfer|DIMSE Status) +: ?(\S*.*?)(?: = .*| \(.*)?$", block, re.M))
        if said and said["DIMSE Status"] != NOT_SENT:
            told[said["Filename"]] = said["Network Xfer"], said["DIMSE Status"]
    return told


def recorded(site: Site) -> dict[str, list[dict[str, Any]]]:
    """The objects of the audit trail's records by type."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for file in sorted((site.data / "audit").glob("*.jsonl")):
        for record in map(json.loads, file.read_text().splitlines()):
            found[record["type"]].append(record["object"])
    return found


def test_what_storescp_takes_leaves_de_identified_or_is_held(
    veil: Site, program: Callable[[str], Path], tmp_path: Path
) -> None:
    with storescp(program, tmp_path / "alone") as port:
        alone = dcmsend(program("dcmsend"), port, tmp_path / "alone.txt")
    ours = dcmsend(program("dcmsend"), veil.dimse_port, tmp_path / "ours.txt")
    assert len(alone) > 220
    assert {file: syntax for file, (syntax, _) in ours.items()} == {file: syntax for file, (syntax, _) in alone.items()}
    veil.drain()
    record, held = recorded(veil), Counter(Reason(entry["reason"]) for entry in veil.held())
    assert len(record["received"]) == len(ours) == len(record["released"]) + len(record["held"])
    refused = [file for file, (_, status) in ours.items() if status != SUCCESS]
    # what is held twice for the same bytes is one entry
    assert 0 < len(refused) <= sum(n for reason, n in held.items() if reason in MALFORMED_REASONS) < 15
    assert held.total() < 20
    assert veil.queue().keys() == {"delivered"}
    arrived(record["released"], tmp_path / "pacs", {syntax for syntax, _ in ours.values()})


def arrived(released: list[dict[str, Any]], folder: Path, syntaxes: set[str]) -> None:
    """Each instance came, in a transfer syntax in which it was sent and released."""
    expected = {(each["sop_instance_uid"], each["transfer_syntax_uid"]) for each in released}
    assert len(syntaxes) == 10  # what is not compressed dcmsend sends as explicit VR little endian
    assert {syntax for _, syntax in expected} == syntaxes - {JPEG_LS_LOSSY}
    metas = [pydicom.filereader.read_file_meta_info(file) for file in folder.iterdir()]
    got = {(str(meta.MediaStorageSOPInstanceUID), str(meta.TransferSyntaxUID)) for meta in metas}
    assert got <= expected
    assert {uid for uid, _ in got} == {uid for uid, _ in expected}
