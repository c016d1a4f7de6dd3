"""A worker process: ``python -m proxy.workers.child FD PARENT``. Started by `proxy.workers.worker`, never by hand.

Reads its set-up from the socket FD, warms up, then answers one instance after the other until the socket closes. It
may read the mapped instance and its own code, and writes to the socket only. It keeps nothing between instances.
"""

from __future__ import annotations

import gc
import mmap
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from proxy.deid.dictionary import register
from proxy.deid.pixels import codecs, kernels, rendering_picture
from proxy.deid.profile import Policy
from proxy.deid.tables import Tables
from proxy.deid.types import Claimed
from proxy.errors import Reason, VeilError
from proxy.service.ports import Held
from proxy.workers import confine, protocol
from proxy.workers.judge import ENGINE, GATE, Judge
from proxy.workers.reply import Answer, Reply, send_reply
from proxy.workers.text_reader import make_reader
from proxy.workers.warmup import specimen


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker works with.

    ``tables`` teach pydicom the attributes that it is too old for. Tests name other modules.
    """

    policies: Mapping[str, Policy]
    gate_key: bytes
    memory_bytes: int
    tables: Tables | None = None
    engine: str = ENGINE
    gate: str = GATE


class Bench:
    """The engine and the gate, loaded and warm, and how much memory that took."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        if setup.tables is not None:
            register(setup.tables)
        reader = make_reader()
        if any(reads_text(policy) for policy in setup.policies.values()):
            reader.load()  # 16 MB of models: now, not with the first instance
        kernels.warm()
        codecs.warm()
        rendering_picture.warm()
        self._judge = Judge(setup.gate_key, setup.engine, setup.gate, reader)
        for policy in setup.policies.values():  # the first run imports and compiles what later ones need
            self._judge.judge(specimen(), Claimed(), policy)
        gc.collect()
        gc.freeze()
        self._base = confine.address_space()

    def run(self, job: protocol.Job, fd: int) -> Answer:
        """Judge, render, describe or preview what is in ``fd`` within its allowance of memory."""
        policy = job.policy or self._setup.policies.get(job.project)
        if policy is None:
            return Held(Reason.ENGINE_ERROR, "no policy")
        if job.size == 0:
            return Held(Reason.NOT_DICOM, "no bytes")
        confine.limit_memory(self._base, self._setup.memory_bytes, job.size)
        mapping = mmap.mmap(fd, job.size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        try:
            if job.preview is not None:
                return self._judge.preview(memoryview(mapping), job.claimed, job.preview, policy)
            if job.describing:
                return self._judge.describe(memoryview(mapping), policy)
            if job.rendering is not None:
                return self._judge.render(memoryview(mapping), job.rendering, policy)
            if job.decoding:
                return self._judge.decode(memoryview(mapping), policy)
            if job.passing is not None:
                return self._judge.let_pass(memoryview(mapping), job.claimed, policy, job.passing)
            return self._judge.judge(memoryview(mapping), job.claimed, policy)
        finally:
            _unmap(mapping)


def reads_text(policy: Policy) -> bool:
    """Whether instances under ``policy`` may be read for text in their pixels."""
    pixels = getattr(policy, "pixels", None)  # tests put other things in the place of a policy
    return pixels is not None and any(pixels.reads(risk) for risk in pixels.text)


def _unmap(mapping: mmap.mmap) -> None:
    try:
        mapping.close()
    except BufferError:  # something in a reference cycle still looks at it
        gc.collect()
        try:
            mapping.close()
        except BufferError:
            return  # unmapped with its last view; the parent watches how much a worker keeps


def serve(sock: socket.socket, bench: Bench) -> None:
    """Answer jobs until the parent closes the socket."""
    while True:
        try:
            job, fd = protocol.receive(sock, plain=False)
        except EOFError:
            return
        try:
            verdict = bench.run(job, fd)
        finally:
            os.close(fd)
        send_reply(sock, Reply(verdict, confine.resident()))


def main(arguments: list[str]) -> int:
    """Set up and serve; a set-up that fails is answered with a text without values."""
    sock = socket.socket(fileno=int(arguments[0]))
    setup, _ = protocol.receive(sock, plain=False, most=sys.maxsize)
    confine.confine(int(arguments[1]), setup.memory_bytes)
    try:
        bench = Bench(setup)
    except Exception as error:  # noqa: BLE001 - the parent decides what a worker that cannot start means
        text = f": {error}" if isinstance(error, VeilError) else ""
        protocol.send(sock, ("failed", type(error).__name__ + text))
        return 1
    protocol.send(sock, ("ready", confine.resident()))
    serve(sock, bench)
    return 0


if __name__ == "__main__":
    # under the name that pickles use, not as __main__
    from proxy.workers import child

    sys.exit(child.main(sys.argv[1:]))
