"""Engine and gate on one core, side by side with what pydicom, dicognito and dicom-anonymizer take for the same CTs.

One run, one process, one CPU; the contestants take turns, some calls each. All start from encoded bytes and end in
encoded bytes. The two tools are the extra ``bench``; a row says where one is not installed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import os
import statistics
from collections.abc import Callable, Iterator
from importlib import metadata
from io import BytesIO
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread

from bench.engine import Times, make_policy, note, read_walk_write, repeat, size
from bench.instances import CT_ELEMENTS, ct
from bench.modules import encode
from bench.report import Row, timed
from proxy.deid.engine import deidentify
from proxy.deid.profile import Policy
from proxy.deid.types import Chunk, Claimed
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld

SECTION = f"CT 512x512, {CT_ELEMENTS} elements, bytes to bytes, one core"
#: patients that take turns, so that nothing is remembered of the one before
_PATIENTS = 32
#: calls before it is the next contestant's turn, one for each patient: nor does a worker do anything else in between
_BURST = _PATIENTS
#: what all others are compared with
_BASE = "pydicom: read, walk, write"
_VERIFIED = "Veil: engine + gate"
_BODY = "Veil: engine + gate, soft tissue for noise"

Work = Callable[[bytes], object]


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """A row for each contestant, or why there is none; ratios are of CPU time and of wall time."""
    images = [ct(seed + number) for number in range(_PATIENTS)]
    files, bodies = [encode(ds) for ds in images], [encode(body(ds)) for ds in images]
    works: dict[str, Work] = {_BASE: read_walk_write, **veil(make_policy(seed), 2 * len(files[0]))}
    missing = []
    for name, make in RIVALS.items():
        try:
            works[f"{name}: read, anonymise, write"] = make()
        except ImportError:
            missing.append(name)
    calls = {name: _in_turn(work, files) for name, work in works.items()}
    calls[_BODY] = _in_turn(works[_VERIFIED], bodies)
    try:
        with one_core():
            seen = dict(zip(calls, repeat(6.0 if quick else 60.0, *calls.values(), burst=_BURST), strict=True))
    except InstanceHeld as held:
        yield Row(SECTION, "Veil", note=f"held: {held.reason}")
        return
    for name, times in seen.items():
        about = f"{note(times)} (least {1000 * min(times[1]):.3g} ms), {_what(name, len(files[0]))}"
        yield timed(SECTION, name, times[0], {} if name == _BASE else _against(seen[_BASE], times), about)
    for name in missing:
        yield Row(SECTION, f"{name}: read, anonymise, write", note=f"skipped: {name} not installed")


def body(ds: Dataset) -> Dataset:
    """``ds`` with soft tissue in air for its noise: few values, and those look like letters to who searches bytes."""
    side = np.arange(ds.Rows) - ds.Rows / 2
    inside = side[:, np.newaxis] ** 2 + side**2 < (0.4 * ds.Rows) ** 2
    tissue = np.random.default_rng(int(ds.InstanceNumber)).normal(50, 20, inside.shape)
    ds.PixelData = np.where(inside, tissue, -1000).astype("<i2").tobytes()
    return ds


@contextlib.contextmanager
def one_core() -> Iterator[int]:
    """This process on one CPU and, as in a worker, with what was loaded so far out of the collector's way."""
    before = os.sched_getaffinity(0)
    cpu = max(before)
    gc.collect()
    gc.freeze()
    os.sched_setaffinity(0, {cpu})
    try:
        yield cpu
    finally:
        os.sched_setaffinity(0, before)
        gc.unfreeze()


def veil(policy: Policy, room: int) -> dict[str, Work]:
    """Veil's part in three steps, each with all that goes before it; ``room``: bytes that an output fits in."""
    gate, claimed, buffer = Gate(b"\x00" * 32), Claimed(), memoryview(bytearray(room))

    def engine(data: bytes) -> tuple[Chunk, ...]:
        return deidentify(memoryview(data), claimed, policy).chunks

    def verified(data: bytes) -> tuple[Chunk, ...]:
        view = memoryview(data)
        result = deidentify(view, claimed, policy)
        gate.verify(view, result, policy)
        return result.chunks

    def written(data: bytes) -> int:
        return copy_out(verified(data), data, buffer)

    return {"Veil: engine": engine, _VERIFIED: verified, "Veil: engine + gate + copy": written}


def copy_out(chunks: tuple[Chunk, ...], source: bytes, target: memoryview) -> int:
    """The whole output in ``target``, pixel data too; its length."""
    view, at = memoryview(source), 0
    for chunk in chunks:
        part = chunk if isinstance(chunk, bytes) else view[chunk.offset : chunk.offset + chunk.length]
        target[at : at + len(part)] = part
        at += len(part)
    return at


def _dicognito() -> Work:
    anonymizer: Any = importlib.import_module("dicognito.anonymizer").Anonymizer(seed="veil bench")

    def work(data: bytes) -> int:
        ds, out = dcmread(BytesIO(data)), BytesIO()
        anonymizer.anonymize(ds)
        ds.save_as(out)
        return out.tell()

    return work


def _dicom_anonymizer() -> Work:
    anonymize: Any = importlib.import_module("dicomanonymizer.simpledicomanonymizer").anonymize_dicom_file

    def work(data: bytes) -> int:
        out = BytesIO()
        anonymize(BytesIO(data), out)
        return out.tell()

    return work


#: distribution → what loads it, ImportError where it is not installed; each with its own defaults
RIVALS: dict[str, Callable[[], Work]] = {"dicognito": _dicognito, "dicom-anonymizer": _dicom_anonymizer}


def _in_turn(work: Work, files: list[bytes]) -> Callable[[], object]:
    """``work`` with the next file at each call."""
    turns = itertools.cycle(files)
    return lambda: work(next(turns))


def _against(base: Times, seen: Times) -> dict[str, float]:
    wall, cpu = (statistics.median(mine) / statistics.median(theirs) for mine, theirs in zip(seen, base, strict=True))
    return {"pydicom's CPU": cpu, "its wall time": wall}


def _what(name: str, length: int) -> str:
    """Which version of whose code; for Veil and pydicom the size of what they read."""
    tool = name.split(":")[0]
    return f"{tool} {metadata.version(tool)}" if tool in RIVALS else size(length)
