"""What happens to the elements of one instance under one policy, for a preview: see `previewed`. Pure."""

from __future__ import annotations

from dataclasses import replace

from pydicom.datadict import keyword_for_tag

from proxy.deid.access import PIXEL_DATA
from proxy.deid.engine import explain
from proxy.deid.explained import place
from proxy.deid.pixels.plan import Work
from proxy.deid.place import Step
from proxy.deid.previewed import MOST_ROWS, Row, Table, Wish
from proxy.deid.profile import Policy
from proxy.deid.tables import tag_text
from proxy.deid.types import Claimed


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
