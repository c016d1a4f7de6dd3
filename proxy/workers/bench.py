"""What a worker process works with: the engine and the gate, loaded and warm."""

from __future__ import annotations

import gc
import mmap

from proxy.deid.dictionary import register
from proxy.deid.pixels import codecs, kernels, rendering_picture
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed
from proxy.errors import Reason
from proxy.service.ports import Held
from proxy.workers import confine
from proxy.workers.judge import Judge
from proxy.workers.protocol import Job
from proxy.workers.reply import Answer
from proxy.workers.setup import Setup
from proxy.workers.text_reader import make_reader
from proxy.workers.warmup import specimen


def warm() -> None:
    """All that is the same for every set-up."""
    kernels.warm()
    codecs.warm()
    rendering_picture.warm()


class Bench:
    """The engine and the gate, loaded and warm, and how much memory that took. `warm` comes before."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        register(setup.attributes)
        reader = make_reader()
        if any(reads_text(policy) for policy in setup.policies.values()):
            reader.load()  # 16 MB of models: now, not with the first instance
        self._judge = Judge(setup.gate_key, setup.engine, setup.gate, reader)
        for policy in setup.policies.values():  # the first run imports and compiles what later ones need
            self._judge.judge(specimen(), Claimed(), policy)
        gc.freeze()  # all of it is here to stay; that little of it is garbage is not worth a collection
        self._base = confine.address_space()

    def run(self, job: Job, fd: int) -> Answer:
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
