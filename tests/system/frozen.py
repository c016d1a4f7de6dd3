"""A disk that really hangs: everything of a site on a file system that is frozen (fsfreeze(8)) while it receives.

``python -m tests.system.frozen 100`` from the repository, as root: so many freezes, senders by C-STORE and STOW-RS all
the while. Prints the slowest refusal and recovery; fails where something acknowledged is lost, or delivered without its
record. Not one of the suite's tests: a process that waits for such a disk cannot be killed if the test is.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxy.config import load_config
from proxy.site import load_policies
from tests.system.harness import Site, until
from tests.system.killing import recorded
from tests.system.modality import c_store
from tests.system.planting import Planted, fresh
from tests.system.stow import stow

#: what a refusal may take, from the last byte that was sent
SECONDS = 2.0
_SENDERS = 4


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A file system of its own."""
    image, place = folder / "image", folder / "disk"
    with image.open("wb") as file:
        file.truncate(512 << 20)
    place.mkdir()
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


class Senders:
    """Send one instance after the other, by both transports, until they are told to stop."""

    def __init__(self, site: Site) -> None:
        self.site, self.stop = site, threading.Event()
        self.acknowledged: list[Planted] = []
        self.answers: list[tuple[float, float, bool]] = []  # when it was sent, how long it took, whether it was taken
        self.odd: list[str] = []
        self.threads = [threading.Thread(target=self._send, args=(n % 2 == 0,)) for n in range(_SENDERS)]

    def _send(self, by_dimse: bool) -> None:
        while not self.stop.is_set():
            one, began = fresh(), time.monotonic()
            try:
                if by_dimse:
                    status = c_store(self.site.dimse_port, one.part10).status
                    taken, fine = status == 0, status in (0, 0xA700)
                else:
                    status = stow(self.site.http_port, one.part10).status
                    taken, fine = status == 200, status in (200, 503)
            except Exception as error:  # an association that was not accepted is a refusal, too
                taken, fine = False, type(error).__name__ in ("Refused", "ConnectionResetError")
                status = type(error).__name__
            self.answers.append((began, time.monotonic() - began, taken))
            if taken:
                self.acknowledged.append(one)
            if not fine:
                self.odd.append(str(status))
            time.sleep(0.01)


def trial(site: Site, place: Path, senders: Senders) -> tuple[float, float, int]:
    """Freeze, wait, thaw. Seconds of the slowest answer and until one is taken again, and how many were refused."""
    time.sleep(random.random())
    subprocess.run(["fsfreeze", "-f", place], check=True)
    frozen = time.monotonic()
    try:
        time.sleep(3 + 2 * random.random())
        ready = site.ready
    finally:
        subprocess.run(["fsfreeze", "-u", place], check=True)
    thawed = time.monotonic()
    assert not ready, "ready while its disk hangs"
    until(lambda: any(taken and began > thawed for began, _, taken in list(senders.answers)), 30, "it takes again")
    recovery = next(began + took for began, took, taken in list(senders.answers) if taken and began > thawed) - thawed
    until(lambda: site.ready, 30, "ready again")
    during = [(took, taken) for began, took, taken in list(senders.answers) if began < thawed and began + took > frozen]
    assert not any(taken and began + took < thawed for began, took, taken in senders.answers if began > frozen)
    return max(took for took, taken in during if not taken), recovery, sum(not taken for _, taken in during)


def main(trials: int) -> None:
    """Run them and say what came of it."""
    with tempfile.TemporaryDirectory(prefix="veil-frozen-") as name, mounted(Path(name)) as place:
        site = Site(Path(name) / "site", {"data_dir": str(place / "data"), "workers.count": 1}, afresh=True)
        try:
            _run(site, place, trials)
        finally:
            site.end()


def _run(site: Site, place: Path, trials: int) -> None:
    site.start()
    senders = Senders(site)
    for thread in senders.threads:
        thread.start()
    slowest = recovery = 0.0
    refused = 0
    try:
        for _ in range(trials):
            took, back, count = trial(site, place, senders)
            slowest, recovery, refused = max(slowest, took), max(recovery, back), refused + count
    finally:
        senders.stop.set()
        for thread in senders.threads:
            thread.join()
    (site.folder / "data").symlink_to(place / "data")
    site.drain()
    pseudonyms = load_policies(load_config(site.config))["research"].pseudonyms()
    archived = set(site.archived())
    lost = {pseudonyms.uid(one.sop_instance_uid) for one in senders.acknowledged} - archived
    unrecorded = archived - recorded(site)
    assert site.stop() == 0
    print(f"{trials} freezes: {len(senders.acknowledged)} acknowledged, {refused} refused meanwhile, the slowest")
    print(f"after {slowest:.2f} s; taken again after {recovery:.2f} s at most; {len(lost)} lost, {len(unrecorded)}")
    print(f"delivered without a record; other answers: {sorted(set(senders.odd))}")
    assert not lost | unrecorded
    assert not senders.odd
    assert slowest < SECONDS


if __name__ == "__main__":
    main(int(sys.argv[1]))
