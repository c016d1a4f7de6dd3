"""What would become of one instance under one policy: the outcome, its elements one by one, a masked picture.

No value of the instance is in it, so that it can be shown on a page: tags, names of attributes, actions and rules.
Bounded: so many elements as are asked for, one frame. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pydicom.datadict import keyword_for_tag

from proxy.deid.access import PIXEL_DATA
from proxy.deid.engine import explain
from proxy.deid.explained import place
from proxy.deid.pixels.masked import NOTHING, Masked
from proxy.deid.pixels.plan import Work
from proxy.deid.place import Step
from proxy.deid.profile import Policy
from proxy.deid.tables import tag_text
from proxy.deid.types import Claimed

#: elements that one answer has at most
MOST_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Wish:
    """Elements from number ``start`` on, from 0, ``most`` of them; and frame ``frame``, from 1; 0: no picture."""

    start: int = 0
    most: int = 200
    frame: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """What happens to one element. ``path``: the items that it lies in, from 0; "" at the top."""

    path: str
    tag: str
    keyword: str
    vr: str
    action: str
    rule: str
    section: str


@dataclass(frozen=True, slots=True)
class Table:
    """Some of the ``elements``; ``missing`` says why there are none to show."""

    elements: int = 0
    rows: tuple[Row, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Previewed:
    """``reason`` is "" where the instance would be released. ``tag``: the element that is the matter, "" for none.

    ``pixels``: what is done to them, in words of ours.
    """

    reason: str = ""
    detail: str = ""
    tag: str = ""
    pixels: str = ""
    table: Table = field(default_factory=Table)
    picture: Masked = field(default_factory=lambda: Masked(NOTHING, "none was asked for"))

    @property
    def released(self) -> bool:
        """Whether it would leave."""
        return not self.reason


def table(data: memoryview, claimed: Claimed, policy: Policy, work: Work | None, wish: Wish) -> Table:
    """What happens to the elements of ``data``, whatever is decided about its pixels; raises `InstanceHeld`."""
    steps = explain(data, claimed, policy, work=work or Work())
    if work is None and steps and steps[-1].tag in PIXEL_DATA and not steps[-1].path:
        steps[-1] = replace(steps[-1], action="hold", rule="undecided")
    most = min(wish.most, MOST_ROWS)
    return Table(len(steps), tuple(_row(step) for step in steps[wish.start : wish.start + most]))


def _row(step: Step) -> Row:
    path = place(step.path, step.tag).rpartition(".")[0]
    return Row(path, tag_text(step.tag), keyword_for_tag(step.tag), step.vr, step.action, step.rule, step.section)
