"""Modalities and gateways that never give up, and a hand that kills Veil again and again while they send.

An instance counts as acknowledged when a success status was read (C-STORE 0000; STOW-RS 200 naming the instance). A
sender sends the same instance until that happens, as modalities do, and then takes the next one.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from proxy.config import load_config
from proxy.site import load_policies
from tests.system.harness import Site
from tests.system.modality import Modality, Refused, split
from tests.system.planting import Planted, planted
from tests.system.sealed import sealed_instances
from tests.system.stow import stow

#: every so many instances one is of the kind that the default configuration holds
_EVERY_HELD = 7
_GONE = (OSError, Refused, http.client.HTTPException)


@dataclass
class Load:
    """``dimse`` modalities and ``web`` gateways that send until told to stop."""

    site: Site
    dimse: int = 2
    web: int = 2
    acknowledged: list[Planted] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        targets = [self._modality] * self.dimse + [self._gateway] * self.web
        self._threads = [threading.Thread(target=target, daemon=True) for target in targets]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each sender finish what it sends."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a sender hangs"

    def originals(self, kind: str) -> set[str]:
        """SOP Instance UIDs of what was acknowledged."""
        return {one.sop_instance_uid for one in self.acknowledged if one.kind == kind}

    def _take(self) -> Planted:
        number = next(self._numbers)
        return planted(number, "held" if number % _EVERY_HELD == 3 else "plain")

    def _modality(self) -> None:
        """Several instances on one association; a new association when it breaks."""
        one = self._take()
        contexts = [(planted(0, kind).sop_class_uid, [one.transfer_syntax_uid]) for kind in ("plain", "held")]
        while not self._over.is_set():
            try:
                with Modality(self.site.dimse_port, contexts, timeout=30) as modality:
                    while not self._over.is_set():
                        status = modality.store(one.sop_class_uid, one.sop_instance_uid, split(one.part10)[3]).status
                        one = self._judged(one, status == 0, status == 0xA700, f"C-STORE {status:04X}")
            except _GONE:
                self._over.wait(0.02)

    def _gateway(self) -> None:
        one = self._take()
        while not self._over.is_set():
            try:
                answer = stow(self.site.http_port, one.part10, timeout=30)
            except _GONE:
                self._over.wait(0.02)
                continue
            good = answer.status == 200 and answer.stored == (one.sop_instance_uid,)
            later = answer.status == 503 or any(0xA700 <= reason <= 0xA7FF for reason in answer.failures)
            one = self._judged(one, good, later, f"STOW {answer.status} {answer.failures}")

    def _judged(self, one: Planted, good: bool, later: bool, what: str) -> Planted:
        """The instance to send next: the same one again when it is to be sent later."""
        if later:
            self._over.wait(0.02)
            return one
        if good:
            self.acknowledged.append(one)
        else:
            self.surprises.append(what)
        return self._take()


@dataclass(frozen=True)
class Figures:
    """What became of a run."""

    kills: int
    kills_while_starting: int
    acknowledged: int
    delivered: int
    held: int
    lost: int
    seconds: float


def run(site: Site, kills: int, seed: int, arrived: Callable[[], Mapping[str, Path]]) -> Figures:
    """Kill ``kills`` times under load, let everything drain, and hold the outcome against the acknowledgements.

    ``arrived`` is what the destination has: pseudonymous SOP Instance UID → file.
    """
    chance, begun, starting = random.Random(seed), time.monotonic(), 0
    start_seconds = site.start()
    load = Load(site)
    load.start()
    for number in range(kills):
        if number:
            site.spawn()
        if chance.random() < 0.2:  # dies while it starts: recovery must bear that too
            time.sleep(chance.uniform(0, start_seconds))
            starting += 1
        else:
            _wait_ready(site)
            time.sleep(chance.uniform(0, 0.6))
        site.kill()
    site.start()
    time.sleep(0.5)
    load.stop()
    site.drain(180)
    assert site.stop() == 0
    assert load.surprises == []
    return _settle(site, load, arrived(), kills, starting, begun)


def _wait_ready(site: Site) -> None:
    deadline = time.monotonic() + 60
    while not site.ready:
        assert site.running, f"veil serve ended by itself:\n{site.log.read_text()[-3000:]}"
        assert time.monotonic() < deadline, "veil serve does not become ready after a kill"
        time.sleep(0.02)


def _settle(site: Site, load: Load, arrived: Mapping[str, Path], kills: int, starting: int, begun: float) -> Figures:
    pseudonyms = load_policies(load_config(site.config))["research"].pseudonyms()
    due = {pseudonyms.uid(uid) for uid in load.originals("plain")}
    sealed = {split(content)[1] for _, content in sealed_instances(site)}
    lost = (due - arrived.keys()) | (load.originals("held") - sealed)
    figures = Figures(
        kills, starting, len(load.acknowledged), len(due), len(load.originals("held")), len(lost),
        round(time.monotonic() - begun, 1),
    )  # fmt: skip
    print(json.dumps(vars(figures)))
    assert len(due) > kills / 2, "the load was too thin to show anything"
    assert not lost, f"{len(lost)} acknowledged instances are lost"
    assert not arrived.keys() - recorded(site), "delivered without an audit record of the release"
    return figures


def recorded(site: Site) -> set[str]:
    """Pseudonymous SOP Instance UIDs that a ``released`` audit record names."""
    lines = [line for path in sorted((site.data / "audit").glob("*.jsonl")) for line in path.read_text().splitlines()]
    events = [json.loads(line) for line in lines]
    return {e["object"]["sop_instance_uid"] for e in events if e["type"] == "released"}
