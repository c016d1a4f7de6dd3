"""Every bundled pydicom file with a SOP class, through a running Veil, with real programs at both ends.

DCMTK's storescu and a STOW-RS client send; Orthanc is the destination, by C-STORE and by STOW-RS. Each file arrives
de-identified, or is listed as held with a reason, or its sender was told that it was not taken.
"""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.config import load_config
from proxy.errors import MALFORMED_REASONS, Reason
from proxy.site import load_policies
from tests.system.corpus import Bundled, bundled
from tests.system.harness import Site
from tests.system.modality import IMPLICIT, c_echo, split
from tests.system.sealed import sealed_instances
from tests.system.stow import stow

pytestmark = [pytest.mark.peer, pytest.mark.timeout(400)]

#: transfer syntax → what makes storescu propose it
PROPOSE = {
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
}
#: files that storescu itself cannot read; it opens no association for them
UNREADABLE_TO_STORESCU = {
    "test_files/MR_truncated.dcm",
    "test_files/SC_rgb_jpeg.dcm",
    "test_files/rtdose_rle.dcm",
    "test_files/rtdose_rle_1frame.dcm",
    "test_files/rtplan_truncated.dcm",
}
Send = Callable[[Bundled], bool | None]


def rounds() -> Iterator[list[Bundled]]:
    """The files in groups in which no SOP Instance UID comes twice: a PACS keeps one instance of each."""
    left = list(bundled())
    while left:
        now = {file.sop_instance_uid or file.name: file for file in reversed(left)}
        chosen = set(map(id, now.values()))
        yield list(now.values())
        left = [file for file in left if id(file) not in chosen]


class Passage:
    """A site in front of an Orthanc, and what has become of the files so far."""

    def __init__(self, site: Site, orthanc: Any, storescu: Path) -> None:
        self.site, self._orthanc, self._storescu = site, orthanc, storescu
        self._pseudonyms = load_policies(load_config(site.config))["research"].pseudonyms()
        self.fates: Counter[str] = Counter()
        self.unsent: set[str] = set()

    def by_storescu(self, file: Bundled) -> bool | None:
        """True: success was answered; False: something else was; None: storescu did not get so far."""
        command = [self._storescu, "-v", "-R", PROPOSE[file.transfer_syntax_uid or IMPLICIT], "-aec", "VEIL"]
        command += ["127.0.0.1", self.site.dimse_port, file.path]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, errors="replace")
        answers = re.findall(r"Received Store Response \((.*)\)", done.stdout + done.stderr)
        if not answers:
            self.unsent.add(file.name)
            return None
        return bool(answers == ["Success"])

    def by_stow(self, file: Bundled) -> bool | None:
        """True: 200, and the answer names the instance."""
        answer = stow(self.site.http_port, file.path.read_bytes())
        assert answer.status in (200, 409), answer
        return answer.status == 200 and answer.stored == (file.sop_instance_uid,)

    def send(self, how: Send) -> None:
        """Every file, a round at a time; a success that neither arrives nor is sealed is a loss."""
        for files in rounds():
            told = [(file, how(file)) for file in files]
            self.site.drain()
            held = self._held("dimse" if how == self.by_storescu else "dicomweb")
            there = self._orthanc.instances()
            for file, success in told:
                self._account(file, success, held[file.sop_instance_uid], there)
            self._empty()

    def _held(self, transport: str) -> dict[str, set[Reason]]:
        """The sender's SOP Instance UID → why instances of that name are held, as ``veil quarantine`` lists them."""
        reasons = {entry["id"]: Reason(entry["reason"]) for entry in self.site.held()}
        found: dict[str, set[Reason]] = defaultdict(set)
        for entry, content in sealed_instances(self.site):
            if entry.transport == transport and content[128:132] == b"DICM":
                found[split(content)[1]].add(reasons[entry.id])
        return found

    def _account(self, file: Bundled, success: bool | None, reasons: set[Reason], there: dict[str, Any]) -> None:
        pseudonym = self._pseudonyms.uid(file.sop_instance_uid) if file.sop_instance_uid else ""
        if pseudonym in there:
            assert success, f"{file.name} arrived, though its sender was told otherwise"
            arrived = self._orthanc.file(pseudonym)
            assert file.raw_in(arrived) == [], f"{file.name}: identifiers at the destination"
            self.fates["arrived"] += 1
        elif success:
            assert reasons, f"{file.name} is lost"
            good = reasons - MALFORMED_REASONS
            assert good, f"{file.name} is held as {reasons}, and its sender heard of success"
            self.fates[" or ".join(sorted(good))] += 1
        else:
            self.fates["not sent" if success is None else "refused"] += 1

    def _empty(self) -> None:
        """So that the next instance with the same UID is seen to arrive."""
        for patient in self._orthanc.get("/patients"):
            request = urllib.request.Request(f"{self._orthanc.rest}/patients/{patient}", method="DELETE")
            urllib.request.urlopen(request, timeout=30).close()


@pytest.fixture
def passage(
    orthanc: Any, program: Callable[[str], Path], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Passage]:
    by, pixels = request.param
    destination = {
        "dimse": {"type": "dimse", "host": "127.0.0.1", "port": orthanc.dimse_port, "called_ae": "ORTHANC"},
        "dicomweb": {"type": "dicomweb", "url": orthanc.dicomweb},
    }[by]
    changes = {
        "destinations": {"pacs": destination},
        "projects.research.destinations": ["pacs"],
        "projects.research.uninspected_pixels": pixels,
    }
    site = Site(tmp_path / "site", changes)
    site.secrets.update({"CompressedSamples", "Lestrade", "77654033", "JXD191021006", "Phantom30sep", "Gildong"})
    site.start()
    yield Passage(site, orthanc, program("storescu"))
    assert site.stop() == 0
    assert site.exposed() == []


@pytest.mark.parametrize(
    ("passage", "senders", "arrivals"),
    [
        (("dimse", "hold"), ("by_storescu", "by_stow"), 130),
        (("dicomweb", "forward"), ("by_storescu",), 130),
    ],
    indirect=["passage"],
    ids=["C-STORE", "STOW-RS, uninspected pixels forwarded"],
)
def test_every_file_has_a_fate_before_orthanc(passage: Passage, senders: tuple[str, ...], arrivals: int) -> None:
    for how in senders:
        passage.fates.clear()
        passage.send(getattr(passage, how))
        print(how, dict(passage.fates))
        assert passage.fates.total() == len(bundled())
        assert passage.fates["arrived"] >= arrivals
    assert passage.unsent <= UNREADABLE_TO_STORESCU
    assert passage.site.queue().get("failed", 0) == 0


def test_echoscu_and_our_own_echo_are_answered(program: Callable[[str], Path], tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    try:
        site.start()
        command = [str(program("echoscu")), "-aec", "VEIL", "127.0.0.1", str(site.dimse_port)]
        assert subprocess.run(command, timeout=60).returncode == 0
        wrong = [str(program("echoscu")), "-aec", "NOBODY", "127.0.0.1", str(site.dimse_port)]
        assert subprocess.run(wrong, capture_output=True, timeout=60).returncode != 0
        assert c_echo(site.dimse_port).status == 0
    finally:
        site.end()
