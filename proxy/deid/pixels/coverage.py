"""What one instance's device is answered by: a rule, its ultrasound regions, a reading of its text, nothing; or held.

The same decision as in flight, asked by itself. The device is named as the header names it: who prints that has to know
what may be shown. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.deid.access import plain_of
from proxy.deid.decode import read_instance
from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.burned_in import SOP_CLASS_UID, decide
from proxy.deid.pixels.plan import Decision
from proxy.deid.pixels.risk import COLUMNS, IMAGE_TYPE, ROWS
from proxy.deid.profile import Policy
from proxy.deid.values import strict_text
from proxy.errors import InstanceHeld, Reason

_MODALITY, _MANUFACTURER, _MODEL, _SOFTWARE, _STATION = 0x00080060, 0x00080070, 0x00081090, 0x00181020, 0x00081010


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """How an instance names what made it. ``sop_class`` is its name in PS3.6, "" for an unknown one."""

    modality: str = ""
    sop_class: str = ""
    manufacturer: str = ""
    model: str = ""
    software: str = ""
    station: str = ""
    image_type: str = ""
    columns: str = ""
    rows: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Answer:
    """``by``: rule, regions, full, screen, unseen, none (nothing to look at) or held; ``detail`` holds no value."""

    by: str
    detail: str


def answer(data: memoryview, policy: Policy) -> tuple[Device, Answer]:
    """What answers for the pixels of the Part 10 instance in ``data``."""
    device = Device()
    try:
        with strict_text():
            instance = read_instance(data, policy)
            asked = Attributes.of(instance.root, instance.syntax.little)
            sop_class = policy.sop_classes.get(plain_of(instance.root, SOP_CLASS_UID) or "")
            device = _device(asked, sop_class.name if sop_class is not None else "")
            if sop_class is None:
                raise InstanceHeld(Reason.UNKNOWN_SOP_CLASS, "not a storage SOP class of PS3.6")
            decision = decide(instance.root, sop_class, instance.syntax, policy)
    except InstanceHeld as held:
        return device, Answer("held", f"{held.reason}: {held.detail}")
    if instance.pixels is None:
        return device, Answer("none", "no pixel data")
    return device, Answer(answered_by(decision), decision.why)


def answered_by(decision: Decision) -> str:
    """The word of `Answer` for a decision about pixels that are there."""
    if decision.covered:
        return "rule"
    if decision.look != "no":
        sources = {area.source.startswith("device rule") for area in decision.areas}
        also = "".join(f"{word} + " for word, is_there in (("rule", True), ("regions", False)) if is_there in sources)
        return also + decision.look
    return "unseen" if "unseen" in decision.why else "none"


def _device(asked: Attributes, sop_class: str) -> Device:
    def said(tag: int) -> str:
        return asked.text((tag,)) or ""

    return Device(
        said(_MODALITY),
        sop_class,
        said(_MANUFACTURER),
        said(_MODEL),
        said(_SOFTWARE),
        said(_STATION),
        said(IMAGE_TYPE),
        said(COLUMNS),
        said(ROWS),
    )
