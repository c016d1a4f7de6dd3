"""Every bundled pydicom file with a SOP class: it arrives de-identified, or is held for a reason, or is refused.

Here into the embedded archive, over STOW-RS as the file is and over DIMSE byte for byte, and what comes out is held
against the offline twin. With real peers at both ends: tests/peers/test_system_corpus.py.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxy.errors import MALFORMED_REASONS, Reason
from tests.system.corpus import DATA, Bundled, bundled
from tests.system.harness import Site
from tests.system.modality import c_store, split
from tests.system.planting import planted
from tests.system.sealed import sealed_instances
from tests.system.stow import stow

Send = Callable[[Site, Bundled], bool]
#: with these an instance would be held because Veil is wrong, not because of what it is
FAULTS_OF_OURS = {
    Reason.IDENTIFIER_REMAINS, Reason.ELEMENT_NOT_ALLOWED, Reason.OUTPUT_UNREADABLE, Reason.ENGINE_ERROR,
    Reason.WORKER_CRASHED, Reason.WORKER_TIMEOUT,
}  # fmt: skip


@dataclass(frozen=True)
class Twin:
    """What ``veil deid`` makes of each bundled file: its output, or the reason why it is held."""

    released: dict[str, bytes]
    held: dict[str, Reason]


def twin(site: Site, out: Path) -> Twin:
    folders = [str(DATA / name) for name in ("test_files", "charset_files")]
    options = ["--out", str(out), "--layout", "mirrored", "-c", str(site.config), "--project", "research"]
    done = site.veil("deid", *folders, *options)
    assert done.returncode == 3, done.stdout + done.stderr
    held = dict(re.findall(r"^held  (.*?): ([a-z0-9-]+)(?: \(.*\))?$", done.stdout, re.MULTILINE))
    released = {}
    for file in bundled():
        relative = file.path.relative_to(DATA)
        if (made := out / Path(*relative.parts[1:])).exists():
            released[file.name] = made.read_bytes()
    return Twin(released, {str(Path(path).relative_to(DATA)): Reason(reason) for path, reason in held.items()})


def by_web(site: Site, file: Bundled) -> bool:
    answer = stow(site.http_port, file.path.read_bytes())
    assert answer.status in (200, 409), answer
    assert bool(answer.stored) == (answer.status == 200), answer
    return answer.status == 200


def by_dimse(site: Site, file: Bundled) -> bool:
    status = c_store(site.dimse_port, file.path.read_bytes()).status
    assert status in (0, 0xA900) or status >> 12 == 0xC, hex(status)
    return status == 0


def identity(content: bytes) -> tuple[str, ...]:
    """What of a held instance is the same in a file and after C-STORE, where the file meta information is another."""
    if content[128:132] != b"DICM":
        return (hashlib.sha256(content).hexdigest(),)
    *uids, dataset = split(content)
    return (*uids, hashlib.sha256(dataset).hexdigest())


def send_all(site: Site, send: Send, expected: Twin) -> Counter[str]:
    """One after the other; what is released must arrive as the twin made it, before the next one is sent."""
    fates: Counter[str] = Counter()
    for file in bundled():
        if send is by_dimse and not file.part10:
            continue  # without file meta information nothing says which transfer syntax to propose
        reason = expected.held.get(file.name)
        fates[f"{send.__name__}: {reason or 'released'}"] += 1
        accepted = send(site, file)
        if reason is not None:
            assert accepted == (reason not in MALFORMED_REASONS), (file.name, reason)
            continue
        assert accepted, file.name
        site.drain()
        made = expected.released[file.name]
        alike = [path for path in site.archived().values() if path.stat().st_size == len(made)]
        assert made in [path.read_bytes() for path in alike], f"{file.name} did not arrive as the offline twin made it"
    return fates


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    """With the settings of `veil init`."""
    folder = tmp_path_factory.mktemp("twin")
    return twin(Site(folder / "site"), folder / "out")


@pytest.mark.timeout(600)
def test_every_file_has_a_fate(site: Site, expected: Twin) -> None:
    assert expected.released.keys() | expected.held.keys() >= {file.name for file in bundled()}
    assert not set(expected.held.values()) & FAULTS_OF_OURS
    by_name = {file.name: file for file in bundled()}
    for send in (by_web, by_dimse):
        print(json.dumps(send_all(site, send, expected), indent=1))

    listed = json.loads(site.veil("quarantine", "list", "--json", "-c", str(site.config)).stdout)
    reasons = {entry["id"]: entry["reason"] for entry in listed}
    sealed = {(entry.transport, identity(content)): entry.id for entry, content in sealed_instances(site)}
    for file in bundled():
        for transport in ("dimse", "dicomweb") if file.part10 else ("dicomweb",):
            entry = sealed.get((transport, identity(file.path.read_bytes())))
            assert reasons.get(entry or "") == expected.held.get(file.name), (file.name, transport)
    for name, output in expected.released.items():  # seen to be what arrived
        assert not by_name[name].raw_in(output), name
    everything = b"".join(path.read_bytes() for path in site.archived().values())
    long = {pattern for file in bundled() for pattern in file.identifiers if len(pattern) > 20}
    assert not [pattern for pattern in long if re.search(pattern, everything)]


@pytest.mark.timeout(600)
def test_what_nobody_can_inspect_is_all_that_is_forwarded_more(
    make_site: Callable[..., Site], expected: Twin, tmp_path: Path
) -> None:
    """Files that have the fate under both settings need not be sent again; one that has not, is."""
    forwarding = make_site("site", {"projects.research.uninspected_pixels": "forward"})
    before, after = expected, twin(forwarding, tmp_path / "out")
    more = after.released.keys() - before.released.keys()
    assert {before.held[name] for name in more} <= {Reason.PIXELS_UNINSPECTED}
    assert {name: after.released[name] for name in before.released} == before.released
    assert {name: before.held[name] for name in after.held} == after.held
    assert Reason.PIXELS_UNINSPECTED not in after.held.values()
    forwarding.start()
    by_name = {file.name: file.path.read_bytes() for file in bundled()}
    for part10 in (planted(1, "held").part10, *(by_name[name] for name in more)):
        assert c_store(forwarding.dimse_port, part10).status == 0
    assert stow(forwarding.http_port, planted(2, "held").part10).status == 200
    forwarding.drain()
    assert len(forwarding.archived()) == 2 + len({split(by_name[name])[1] for name in more})
    assert forwarding.held() == []
