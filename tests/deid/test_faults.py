"""An exception at any call inside engine or gate holds the instance; never do other bytes leave (fail closed).

`Fault` raises at the N-th call that is made from within proxy/deid, for N over all calls of one instance: a sample in
each run, every one with ``VEIL_FAULTS=all``.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

import proxy.deid
from proxy.deid.profile import Policy
from proxy.deid.types import Claimed, materialise
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld, Reason
from proxy.service.ports import Held, Released
from proxy.workers.judge import Judge
from tests.deid.canary_files import FAMILY, NUMBER, SAID, base, code, encoded, item, items
from tests.deid.canary_search import found

INSIDE = str(Path(proxy.deid.__file__).parent) + os.sep
JUDGE, GATE = Judge(bytes(32)), Gate(bytes(32))
SAMPLE = 0 if os.environ.get("VEIL_FAULTS") == "all" else 100
MOVED = (
    "rtn_safe_priv", "rtn_dev_id", "rtn_inst_id", "rtn_pat_chars", "rtn_long_modif", "clean_desc", "clean_struct",
    "clean_graph",
)  # fmt: skip


class Unforeseen(Exception):
    """What nobody catches by name."""


class Fault:
    """Counts calls, Python's and built-in ones, made from within proxy/deid; raises at number ``at``."""

    def __init__(self, at: int = -1, error: type[Exception] = Unforeseen) -> None:
        self.calls, self._at, self._error = 0, at, error
        self.dropped = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event in ("call", "c_call") and frame.f_code.co_filename.startswith(INSIDE):
            self.calls += 1
            if self.calls - 1 == self._at:
                raise self._raised()

    def _raised(self) -> Exception:
        return InstanceHeld(Reason.BAD_CHARSET, "injected") if self._error is InstanceHeld else self._error("injected")

    @contextmanager
    def active(self) -> Iterator[Fault]:
        """While the block runs; Python takes it away itself once it has raised.

        Where a generator is closed because nobody wants more of it, Python drops what is raised: `dropped`.
        """
        before, hook = sys.getprofile(), sys.unraisablehook
        sys.unraisablehook = lambda _: setattr(self, "dropped", True)
        gc.disable()  # whatever is collected meanwhile would be counted too
        sys.setprofile(self)
        try:
            yield self
        finally:
            sys.setprofile(before)
            gc.enable()
            sys.unraisablehook = hook


@cache
def instances() -> dict[str, bytes]:
    """Small ones in which everything happens: text, items, private elements, dates, content, a deflated data set."""
    image = base("test_files/MR_small.dcm")
    image.PatientComments = f"nodule, {SAID}, 13.09.1947"
    image.RequestAttributesSequence = items(RequestedProcedureDescription=SAID, ScheduledProcedureStepID="7")
    image.AnatomicRegionSequence = code("Head")
    image.GraphicAnnotationSequence = items(GraphicLayer="L1", TextObjectSequence=[item(UnformattedTextValue=SAID)])
    image.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x9E, "LO", "FSE")
    report = base("test_files/test-SR.dcm")
    return {
        "image": encoded(image),
        "report": encoded(report),
        "implicit VR": encoded(base("test_files/rtplan.dcm")),
        "deflated": encoded(base("test_files/image_dfl.dcm")),
        "ISO 2022": encoded(base("charset_files/chrH31.dcm")),
    }


def policies(make: ModuleType) -> dict[str, Policy]:
    more = {"uninspected_pixels": "forward"}
    return {"basic": make.policy("basic", **more), "moved": make.optioned(*MOVED, **more)}


def judge(data: bytes, policy: Policy) -> Released | Held:
    return JUDGE.judge(memoryview(data), Claimed(), policy)


def alike(one: Released, other: Released, data: bytes) -> bool:
    """The same output, released; two releases of the same bytes are never the same."""
    outputs = [materialise(each.chunks, data) for each in (one, other)]
    return outputs[0] == outputs[1] and GATE.admits(one.release, outputs[0])


def calls_of(data: bytes, policy: Policy) -> int:
    judge(data, policy)  # what is made once for a policy is made
    with Fault().active() as counting:
        assert isinstance(judge(data, policy), Released)
    return counting.calls


def numbers(calls: int) -> Iterator[int]:
    """Evenly over all calls, or every one."""
    yield from range(0, calls, max(1, calls // SAMPLE) if SAMPLE else 1)


def outcomes(data: bytes, policy: Policy, error: type[Exception]) -> Iterator[tuple[int, Released | Held]]:
    untouched = judge(data, policy)
    assert isinstance(untouched, Released)
    for number in numbers(calls_of(data, policy)):
        with Fault(number, error).active() as fault:
            verdict = judge(data, policy)
        assert fault.calls > number  # it did happen
        if fault.dropped:
            assert isinstance(verdict, Held) or alike(verdict, untouched, data)
        else:
            yield number, verdict


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["image", "report", "implicit VR", "deflated", "ISO 2022"])
@pytest.mark.parametrize("name", ["basic", "moved"])
def test_an_exception_at_any_call_holds(make: ModuleType, kind: str, name: str) -> None:
    data, policy = instances()[kind], policies(make)[name]
    untouched = judge(data, policy)
    assert isinstance(untouched, Released)
    through = [number for number, verdict in outcomes(data, policy, Unforeseen) if isinstance(verdict, Released)]
    assert not through
    again = judge(data, policy)  # nothing that a fault left behind changes what comes next
    assert isinstance(again, Released)
    assert alike(again, untouched, data)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("error", [MemoryError, RecursionError, KeyError, AttributeError, OverflowError, StopIteration])
def test_what_python_itself_may_raise_holds(make: ModuleType, error: type[Exception]) -> None:
    data, policy = instances()["image"], policies(make)["moved"]
    untouched = judge(data, policy)
    assert isinstance(untouched, Released)
    for number, verdict in outcomes(data, policy, error):
        assert isinstance(verdict, Held) or alike(verdict, untouched, data), number


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("error", [ValueError, InstanceHeld, UnicodeError])
@pytest.mark.parametrize("kind", ["image", "report", "ISO 2022"])
def test_what_the_code_itself_catches_gives_nothing_away(make: ModuleType, kind: str, error: type[Exception]) -> None:
    """A value that an action cannot use goes by the stricter rule: the rest may leave, with less in it, never more."""
    data, policy = instances()[kind], policies(make)["moved"]
    untouched = judge(data, policy)
    assert isinstance(untouched, Released)
    for number, verdict in outcomes(data, policy, error):
        if isinstance(verdict, Released) and not alike(verdict, untouched, data):
            assert not found(materialise(verdict.chunks, data), (FAMILY, NUMBER)), number


def test_the_detail_of_a_fault_says_nothing_of_it(make: ModuleType) -> None:
    data, policy = instances()["image"], policies(make)["basic"]
    with Fault(100).active():
        verdict = judge(data, policy)
    assert isinstance(verdict, Held)
    assert (verdict.reason, verdict.detail) == (Reason.ENGINE_ERROR, "Unforeseen")
