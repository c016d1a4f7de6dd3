"""What becomes of an attribute at the top of an instance, whatever its value: gone, empty, or a constant.

Made once for a policy and SOP class, encoded already, so that the walk need not decide it for each instance anew. Only
where nothing in the instance can change it; a site's rules can. Decides nothing of its own: asks what the walk asks.
Pure; holds nothing of any instance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from proxy.deid import bulk, dummies, markers
from proxy.deid.decisions import decider_of
from proxy.deid.encode import Element, encode_dataset
from proxy.deid.iod import resolve
from proxy.deid.level import Run
from proxy.deid.pixels import truth
from proxy.deid.profile import Policy

#: what the engine itself writes, or looks at in the result
_TOLD = frozenset({0x00080005, 0x00100010, 0x00100020, *markers.TAGS, *truth.TAGS, *bulk.TAGS})
_COUNTS = {"X": "removed", "Z": "emptied", "D": "replaced"}


@dataclass(frozen=True, slots=True)
class Foregone:
    """``part`` leaves, None where nothing does; ``count`` says what happened."""

    part: Run | None
    count: str


@lru_cache(maxsize=256)
def foregone_of(policy: Policy, sop_class: str, implicit: bool, little: bool) -> Mapping[int, Foregone]:
    """By tag, for the rows of Table E.1-1."""
    if policy.rules:
        return {}
    return dict(_conclusions(policy, sop_class, implicit, little))


def _conclusions(policy: Policy, sop_class: str, implicit: bool, little: bool) -> Iterator[tuple[int, Foregone]]:
    decider = decider_of(policy)
    for tag, vr in policy.vrs.items():
        decision = decider.listed(tag)
        if decision is None or tag in _TOLD:
            continue
        actions = {decision.action}
        if decision.action == "Z" or "/" in decision.action:
            actions = {resolve(decision.action, kind) for kind in policy.iod.possible_types(sop_class, tag)}
        action = actions.pop()
        value = _value(action, tag, vr)
        if actions or action not in _COUNTS or (value is None and action != "X"):
            continue
        part = None
        if value is not None:
            element = Element(tag, vr, value)
            part = Run(tag, encode_dataset((element,), implicit=implicit, little=little), 1)
        yield tag, Foregone(part, _COUNTS[action])


def _value(action: str, tag: int, vr: str) -> bytes | None:
    """What the element will hold; None where it goes, or where that is not the same for every instance."""
    if vr in ("", "SQ", "UI"):
        return None
    return b"" if action == "Z" else dummies.dummy(tag, vr) if action == "D" else None
