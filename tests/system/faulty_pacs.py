"""A PACS that takes STOW-RS and fails in every way: refuses an instance, is busy, takes one and never says so."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.peers.loopback import Quiet, serving
from tests.system.modality import split

_REFUSED = 0xA900


@dataclass
class FaultyPacs:
    """``busy``: it answers 503. ``mute``: the share of instances that it takes without an answer."""

    busy: bool = False
    mute: float = 0.03
    port: int = 0
    #: SOP Instance UID → how often it was taken
    taken: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    _chance: random.Random = field(default_factory=lambda: random.Random(11))

    def answer(self, body: bytes) -> tuple[int, dict[str, object]] | None:
        """Status and module of the response; None: the connection ends instead."""
        if self.busy:
            return 503, {}
        uid = split(body[body.index(b"DICM") - 128 :])[1]
        item: dict[str, object] = {"00081155": {"vr": "UI", "Value": [uid]}}
        if uid.endswith("7"):  # one in ten, and always the same
            self.refused.add(uid)
            return 409, {"00081198": {"vr": "SQ", "Value": [item | {"00081197": {"vr": "US", "Value": [_REFUSED]}}]}}
        self.taken[uid] += 1
        return None if self._chance.random() < self.mute else (200, {"00081199": {"vr": "SQ", "Value": [item]}})


@contextmanager
def faulty_pacs() -> Iterator[FaultyPacs]:
    """One that listens on ``port``."""
    pacs = FaultyPacs()

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            answer = pacs.answer(body) if len(body) == length else None  # killed while it sent
            if answer is None:
                self.close_connection = True
                return
            body = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as port:
        pacs.port = port
        yield pacs
