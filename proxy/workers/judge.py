"""One instance through the engine and the gate: the verdict; or a preview of it, or a picture of one that has left.

The one place where any exception becomes `Held`.

Runs inside a worker process (`proxy.workers.child`), or without one (`proxy.workers.inline`). Whatever foreign bytes
make a parser or codec raise, MemoryError and RecursionError included, costs this instance only. An exception's own
text may quote the data set, so its class name is all that leaves.
"""

from __future__ import annotations

import importlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from proxy.deid.device import Device
from proxy.deid.made_by import held_device
from proxy.deid.pixels.decompressed import decompress
from proxy.deid.pixels.masked import masked
from proxy.deid.pixels.plan import TextReader, summary
from proxy.deid.pixels.rendering import Rendered, Rendering
from proxy.deid.pixels.rendering_file import render
from proxy.deid.pixels.shown import NOTHING, Masked
from proxy.deid.previewed import Previewed, Table, Wish
from proxy.deid.profile import Policy
from proxy.deid.release import SALT_BYTES, Release
from proxy.deid.steps import table
from proxy.deid.tables import tag_text
from proxy.deid.types import Chunk, Claimed, Deidentified, Original, Report, Slice, materialise
from proxy.errors import InstanceHeld, Reason
from proxy.service.ports import Held, Released, Verdict
from proxy.workers.describing import Alike, Outcome, describe
from proxy.workers.setup import ENGINE, GATE

T = TypeVar("T")

#: longest detail that is kept
_DETAIL = 300


class Verifier(Protocol):
    """`proxy.deid.verify.Gate`, as far as a worker needs it."""

    def verify(self, data: memoryview, result: Deidentified, policy: Policy) -> Release:
        """The permission to let ``result`` out; `InstanceHeld` otherwise."""
        ...

    def let_pass(self, data: memoryview, claimed: Claimed, policy: Policy, check: bool) -> tuple[Release, Report]:
        """The permission for what is de-identified already; `InstanceHeld` otherwise."""
        ...

    def decoded(self, data: memoryview, chunks: tuple[Chunk, ...], policy: Policy) -> tuple[Release, Report]:
        """The permission for ``data``, decompressed; `InstanceHeld` otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class Trouble:
    """What an exception is reduced to."""

    reason: Reason
    detail: str
    tag: int | None = None


class Judge:
    """An engine and a gate under this run's key."""

    def __init__(
        self, gate_key: bytes, engine: str = ENGINE, gate: str = GATE, reader: TextReader | None = None
    ) -> None:
        """``engine`` is a module with ``deidentify`` and ``identify``, ``gate`` one with ``Gate``."""
        module = importlib.import_module(engine)
        self._reader = reader
        self._deidentify: Callable[[memoryview, Claimed, Policy, TextReader | None], Deidentified] = module.deidentify
        self._identify: Callable[[memoryview, Policy], Original | None] = module.identify
        self._gate: Verifier = importlib.import_module(gate).Gate(gate_key, reader, os.urandom(SALT_BYTES))

    def judge(self, data: memoryview, claimed: Claimed, policy: Policy) -> Verdict:
        """De-identify ``data`` and have the result verified. Raises nothing that an instance can cause."""
        started = time.perf_counter()
        result = _contained(lambda: self._deidentify(data, claimed, policy, self._reader))
        if isinstance(result, Trouble):
            held = _held(result, self._whose(data, policy, result), started)
            return replace(held, device=_device(data, policy, result))
        release = _contained(lambda: self._gate.verify(data, result, policy))
        if isinstance(release, Trouble):
            return replace(_held(release, result.original, started), device=_device(data, policy, release))
        return Released(release, result.chunks, result.original, result.report, _since(started))

    def let_pass(self, data: memoryview, claimed: Claimed, policy: Policy, check: bool) -> Verdict:
        """Release ``data``, which is de-identified, as it is. Raises nothing that an instance can cause."""
        started = time.perf_counter()
        found = _contained(lambda: self._gate.let_pass(data, claimed, policy, check))
        if isinstance(found, Trouble):
            return _held(found, None, started)
        return _passed((Slice(0, len(data)),), *found, started)

    def decode(self, data: memoryview, policy: Policy) -> Verdict:
        """Release ``data``, which was released before, with its pixel data decompressed. As `let_pass`."""
        started = time.perf_counter()
        chunks = _contained(lambda: decompress(data, policy))
        if isinstance(chunks, Trouble):
            return _held(chunks, None, started)
        found = _contained(lambda: self._gate.decoded(data, chunks, policy))
        return _held(found, None, started) if isinstance(found, Trouble) else _passed(chunks, *found, started)

    def render(self, data: memoryview, wanted: Rendering, policy: Policy) -> Rendered | Held:
        """A picture of ``data``, which is de-identified. Raises nothing that an instance can cause."""
        started = time.perf_counter()
        found = _contained(lambda: render(data, policy, wanted))
        return _held(found, None, started) if isinstance(found, Trouble) else found

    def preview(self, data: memoryview, claimed: Claimed, wish: Wish, policy: Policy) -> Previewed:
        """See `proxy.deid.previewed`: nothing of ``data`` leaves. Raises nothing that an instance can cause."""
        made = _contained(lambda: self._deidentify(data, claimed, policy, self._reader))
        passed = made if isinstance(made, Trouble) else _contained(lambda: self._gate.verify(data, made, policy))
        held, result = passed if isinstance(passed, Trouble) else None, None if isinstance(made, Trouble) else made
        work = result.work if result is not None else None
        rows = _contained(lambda: table(data, claimed, policy, work, wish)) if wish.most else Table()
        rows = Table(missing=str(rows.reason)) if isinstance(rows, Trouble) else rows
        pixels = summary(work) if work is not None else ""
        picture = self._masked(data, result, held, policy, wish)
        if held is None:
            return Previewed("", "", "", pixels, rows, picture)
        at = tag_text(held.tag) if held.tag is not None else ""
        return Previewed(str(held.reason), held.detail, at, pixels, rows, picture)

    def _masked(
        self, data: memoryview, result: Deidentified | None, held: Trouble | None, policy: Policy, wish: Wish
    ) -> Masked:
        """Of what would leave, or of ``data`` where it is held."""

        def draw() -> Masked:
            if held is not None or result is None:
                return masked(data, policy, self._reader, wish.frame, None, held.reason if held is not None else None)
            seen = memoryview(materialise(result.chunks, data))
            return masked(seen, policy, self._reader, wish.frame, result.work, None)

        if not wish.frame:
            return Masked(NOTHING, "none was asked for")
        found = _contained(draw)
        return Masked(NOTHING, f"it cannot be read: {found.reason}") if isinstance(found, Trouble) else found

    def describe(self, data: memoryview, policy: Policy) -> list[Outcome]:
        """See `describing`: an outcome for each object of the array in ``data``. Raises nothing that one can cause."""
        found = _contained(lambda: list(json.loads(bytes(data))))
        alike = Alike()
        return [] if isinstance(found, Trouble) else [self._outcome(each, policy, alike) for each in found]

    def _outcome(self, instance: Any, policy: Policy, alike: Alike) -> Outcome:
        def engine(data: memoryview, claimed: Claimed) -> Deidentified:
            return self._deidentify(data, claimed, policy, self._reader)

        def verify(data: memoryview, result: Deidentified) -> Release:
            return self._gate.verify(data, result, policy)

        made = _contained(lambda: describe(instance, engine, verify, alike))
        return str(made.reason) if isinstance(made, Trouble) else made

    def _whose(self, data: memoryview, policy: Policy, trouble: Trouble) -> Original | None:
        """The sender's UIDs for the answer to it; not sought in what has just broken the engine."""
        if trouble.reason is Reason.ENGINE_ERROR:
            return None
        found = _contained(lambda: self._identify(data, policy))
        return None if isinstance(found, Trouble) else found


def _contained(act: Callable[[], T]) -> T | Trouble:
    try:
        return act()
    except InstanceHeld as held:
        return Trouble(held.reason, held.detail[:_DETAIL], held.tag)
    except Exception as error:  # noqa: BLE001 - see the file's head
        return Trouble(Reason.ENGINE_ERROR, type(error).__name__)


def _passed(chunks: tuple[Chunk, ...], release: Release, report: Report, started: float) -> Released:
    """What was de-identified before: its own UIDs are those that it came with."""
    uids = (report.sop_class_uid, report.sop_instance_uid, report.study_instance_uid, report.series_instance_uid)
    return Released(release, chunks, Original(*uids), report, _since(started))


def _device(data: memoryview, policy: Policy, trouble: Trouble) -> Device:
    """What made it; not sought in what has just broken the engine."""
    found = trouble if trouble.reason is Reason.ENGINE_ERROR else _contained(lambda: held_device(data, policy))
    return Device() if isinstance(found, Trouble) else found


def _held(trouble: Trouble, original: Original | None, started: float) -> Held:
    return Held(trouble.reason, trouble.detail, original, _since(started))


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
