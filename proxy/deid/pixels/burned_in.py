"""Decides, by the original header alone, what has to happen to the pixels of an instance before they may leave.

Device rules and ultrasound regions say what is blanked, the risk says how the rest is read for text, the profile how
far all that goes. (0028,0301)=NO never lowers a risk, and an unknown device of a risky class does not leave unseen.
What may not leave at all raises `InstanceHeld`. No pixel is touched here. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.deid import bulk
from proxy.deid.level import Level
from proxy.deid.pixels import truth, ultrasound
from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.boxes import outside
from proxy.deid.pixels.faces import RECOGNIZABLE_VISUAL_FEATURES, face
from proxy.deid.pixels.plan import Area, Decision
from proxy.deid.pixels.regions import Found, find
from proxy.deid.pixels.risk import COLUMNS, IMAGE_TYPE, ROWS, SPECIMEN_LABEL_IN_IMAGE, WHOLE_SLIDE, risk_of
from proxy.deid.pixels.signature import BURNED_IN_ANNOTATION
from proxy.deid.profile import Policy
from proxy.deid.tables import SopClass, TransferSyntax
from proxy.errors import InstanceHeld, Reason

SOP_CLASS_UID = 0x00080016
#: kind of content → why it is always held: an attribute profile cannot de-identify it
_ALWAYS = {
    "voice": Reason.UNSUPPORTED_CONTENT,
    "opaque": Reason.UNSUPPORTED_CONTENT,
    "out-of-scope": Reason.UNSUPPORTED_CONTENT,
    "unknown": Reason.UNSUPPORTED_CONTENT,
}
#: suggested defaults of the table: held unless the project forwards what is not seen, where no reading is possible
_UNREADABLE = frozenset({"reject-or-clean", "quarantine"})
_EMBEDDED = tuple(0x60000000 + (2 * n << 16) for n in range(16))
#: Image Type value 3 of a whole slide image (PS3.3 C.8.12.4.1.1): the label, or the slide with it
_LABELS = frozenset({"LABEL", "OVERVIEW"})


@dataclass(frozen=True, slots=True)
class _Case:
    """What is asked about in every step."""

    root: Attributes
    sop_class: SopClass
    syntax: TransferSyntax
    policy: Policy
    #: columns and rows, 0 where the header does not say
    size: tuple[int, int]

    @property
    def forwards(self) -> bool:
        return self.policy.uninspected_pixels == "forward"


def decide(root: Level, sop_class: SopClass, syntax: TransferSyntax, policy: Policy) -> Decision:
    """What is to be done; raises `InstanceHeld` for what may not leave."""
    if bulk.is_replaced(root, sop_class, policy):
        return Decision()
    _refuse(sop_class)
    asked = Attributes.of(root, syntax.little)
    case = _Case(asked, sop_class, syntax, policy, (_number(asked, COLUMNS), _number(asked, ROWS)))
    _refuse_labels(case)
    shown = face(asked, sop_class)
    if shown and policy.pixels.faces == "hold":
        raise InstanceHeld(Reason.FACE, shown, RECOGNIZABLE_VISUAL_FEATURES)
    found = find(policy.pixels.devices, asked, *case.size) if all(case.size) else Found()
    areas = (*found.areas, *_around_regions(case))
    insist = _insists(case, found)
    look, why = ("full", "Burned In Annotation is not NO") if insist else _look(case, found)
    if areas and syntax.handling == "video":
        raise InstanceHeld(Reason.NO_CODEC, "areas of a video are to be blanked")
    return Decision(
        areas,
        look,
        "; ".join(filter(None, (why, *(f"device rule {rule}" for rule in found.rules)))),
        ", ".join(found.rules) if found.covered else "",
        found.covered,
        insist,
        _hidden(root, syntax),
        bool(shown),
    )


def _refuse(sop_class: SopClass) -> None:
    for kind in sop_class.kinds:
        if kind in _ALWAYS:
            raise InstanceHeld(_ALWAYS[kind], f"SOP class with {kind} content", SOP_CLASS_UID)
    if sop_class.default == "reject":
        raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "SOP class is not for de-identification", SOP_CLASS_UID)


def _refuse_labels(case: _Case) -> None:
    """A slide's label names the patient, and is the picture: there is nothing to keep of it."""
    if case.root.text((SPECIMEN_LABEL_IN_IMAGE,)) not in (None, "", "NO"):
        raise InstanceHeld(Reason.BURNED_IN, "a specimen label is in the image", SPECIMEN_LABEL_IN_IMAGE)
    if case.sop_class.uid == WHOLE_SLIDE and not _LABELS.isdisjoint(case.root.values(IMAGE_TYPE)):
        raise InstanceHeld(Reason.BURNED_IN, "the image of a slide's label", IMAGE_TYPE)


def _around_regions(case: _Case) -> tuple[Area, ...]:
    if case.policy.pixels.ultrasound == "off" or case.sop_class.uid not in ultrasound.CLASSES:
        return ()
    kept = ultrasound.regions(case.root, *case.size)
    boxes = outside(kept, *case.size) if kept else ()
    return tuple(Area(box, "outside the ultrasound regions") for box in boxes)


def _insists(case: _Case, found: Found) -> bool:
    """Whether the instance says that text is burned in, and no device rule was written for just that."""
    if case.root.text((BURNED_IN_ANNOTATION,)) in (None, "", "NO") or found.explained:
        return False
    pixels = case.policy.pixels
    blind = case.syntax.handling == "video" or not all(case.size) or not pixels.reads("high")
    if blind or pixels.burned_in == "hold":
        raise InstanceHeld(Reason.BURNED_IN, "Burned In Annotation is not NO", BURNED_IN_ANNOTATION)
    return True


def _look(case: _Case, found: Found) -> tuple[str, str]:
    """How the pixels are read for text, and why."""
    risk, why = risk_of(case.root, case.sop_class)
    if unseen := _unreadable(case, risk):
        if not case.forwards:
            raise InstanceHeld(Reason.PIXELS_UNINSPECTED, unseen)
        return "no", f"{unseen}: forwarded unseen"
    if not risk:
        return "no", why
    if found.covered:
        return "no", ""
    if case.policy.pixels.reads(risk):
        return case.policy.pixels.text[risk], why
    if risk == "high" and not case.forwards:
        raise InstanceHeld(Reason.PIXELS_UNINSPECTED, f"{why}, and nothing reads it")
    return "no", f"{why}: forwarded unseen"


def _unreadable(case: _Case, risk: str) -> str:
    """Why no reader of text can say anything about the content, "" where one can."""
    if risk and case.syntax.handling == "video":
        return "video"
    sop_class = case.sop_class
    if sop_class.default in _UNREADABLE and "burned-in" not in sop_class.kinds:
        return f"SOP class with {', '.join(sop_class.kinds)} risk"
    return ""


def _hidden(root: Level, syntax: TransferSyntax) -> bool:
    """Whether an overlay without data lies in unused bits: removing its group alone would leave it there."""
    for group in _EMBEDDED:
        if group | 0x0010 in root and group | 0x3000 not in root:
            if syntax.uid in truth.METHODS:
                why = "an overlay embedded in pixels that cannot be rewritten without loss"
                raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, why, group | 0x0010)
            return True
    return False


def _number(root: Attributes, tag: int) -> int:
    numbers = root.numbers(tag)
    return int(numbers[0]) if numbers and numbers[0] > 0 else 0
