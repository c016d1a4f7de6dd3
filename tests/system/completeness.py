"""A run in which everything goes wrong by turns, and the account of it afterwards.

While modalities and gateways send, again what was taken already included, the whole of Veil is killed, workers are,
no file can grow, and the PACS is busy, refuses or does not answer. In the end every instance has one end.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from proxy.config import load_config
from proxy.site import audit_key
from tests.system.accounting import Account, account, read
from tests.system.faulty_pacs import FaultyPacs
from tests.system.harness import Site, until
from tests.system.killing import Load
from tests.system.modality import split
from tests.system.planting import Planted
from tests.system.sealed import sealed_instances
from tests.system.stow import stow
from tests.system.watch import tree

_ENDLESS = resource.RLIM_INFINITY


@dataclass
class Run:
    """``site`` delivers to ``pacs`` and to its archive."""

    site: Site
    pacs: FaultyPacs
    chance: random.Random

    def go(self, faults: int) -> Account:
        """As many faults, each kind in its turn; then everything is well, and the account is drawn up."""
        load, over, again = Load(self.site), threading.Event(), Counter[str]()
        kinds: list[Callable[[], None]] = [self._kill, self._kill_worker, self._no_room, self._busy]
        resender = threading.Thread(target=self._resend, args=(load, over, again), daemon=True)
        self.site.start()
        load.start()
        resender.start()
        order: list[Callable[[], None]] = []
        for _ in range(faults):
            order = order or self.chance.sample(kinds, len(kinds))
            time.sleep(self.chance.uniform(0.1, 0.6))
            order.pop()()
        until(lambda: self.site.ready, 60, "it is ready again")
        load.stop()
        over.set()
        resender.join(60)
        # what the PACS refuses is refused three times in one life of Veil, with longer waits after each death
        self.site.drain(180 + 20 * faults)
        assert self.site.stop() == 0
        assert load.surprises == []
        return self._settle(load, again)

    def _kill(self) -> None:
        self.site.kill()
        self.site.start()

    def _kill_worker(self) -> None:
        for pid in self.chance.sample(children := tree(self.site.pid)[1:], min(1, len(children))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _no_room(self) -> None:
        """No file of the process that writes may become longer than the audit log is, and an instance."""
        (*_, last) = sorted((self.site.data / "audit").glob("*.jsonl"))
        most = max(last.stat().st_size + self.chance.randrange(3000), 80_000)
        resource.prlimit(self.site.pid, resource.RLIMIT_FSIZE, (most, _ENDLESS))
        time.sleep(self.chance.uniform(0.3, 0.8))
        resource.prlimit(self.site.pid, resource.RLIMIT_FSIZE, (_ENDLESS, _ENDLESS))

    def _busy(self) -> None:
        self.pacs.busy = True
        time.sleep(self.chance.uniform(0.2, 0.6))
        self.pacs.busy = False

    def _resend(self, load: Load, over: threading.Event, again: Counter[str]) -> None:
        """What was acknowledged comes once more, now and then; nobody insists."""
        chance = random.Random(5)
        while not over.wait(0.05):
            if load.acknowledged:
                one = chance.choice(load.acknowledged)
                with contextlib.suppress(OSError, ValueError):
                    again[one.sop_instance_uid] += stow(self.site.http_port, one.part10, timeout=30).status == 200

    def _settle(self, load: Load, again: Counter[str]) -> Account:
        found = account(read(self.site.data / "audit"))
        key = audit_key(load_config(self.site.config))
        assert key is not None
        pseudonyms = {digest: uid for uid, digests in found.released.items() for digest in digests}
        sealed: dict[str, set[str]] = defaultdict(set)  # sent by either way it has other bytes, so other entries
        for entry, content in sealed_instances(self.site):
            sealed[split(content)[1]].add(entry.id)
        for one in load.acknowledged:
            uid = pseudonyms.get(key.conceal("research", one.sop_instance_uid))
            found.wrong += self._unaccounted(one, uid, sealed[one.sop_instance_uid], found)
        self._hold_against_destinations(found)
        figures = {"acknowledged": len(load.acknowledged), "sent again": again.total(), **found.verdicts}
        figures |= {"taken back": found.taken_back, "ends": found.ends.total(), "ended again": found.again}
        print(json.dumps(figures | {"rejected": len(found.rejected), "wrong": len(found.wrong)}))
        return found

    def _unaccounted(self, one: Planted, uid: str | None, entries: set[str], found: Account) -> list[str]:
        """An acknowledged instance is released and at its destinations' ends, or held and sealed."""
        if uid is None:
            return [] if entries & found.held else [f"acknowledged and neither released nor held ({one.kind})"]
        return [f"{uid} has no end at {each}" for each in ("archive", "pacs") if (each, uid) not in found.ends]

    def _hold_against_destinations(self, found: Account) -> None:
        """What they have was released, and they have what is recorded."""
        there = {"archive": Counter(dict.fromkeys(self.site.archived(), 1)), "pacs": self.pacs.taken}
        for name, taken in there.items():
            found.wrong += [f"{uid} is at {name} and was never released" for uid in taken if uid not in found.released]
        for at in found.ends:
            name, uid = at
            rejected = at in found.rejected
            if not (uid in self.pacs.refused if rejected else there[name][uid]):
                found.wrong.append(f"{uid} has an end at {name} and is not there")
