"""What becomes of an attribute at the top of an instance, whatever its value: gone, empty, or a constant.

Made once for a policy and SOP class, encoded already, so that the walk need not decide it for each instance anew. Only
where nothing in the instance can change it; a site's rules can. Decides nothing of its own: asks what the walk asks.
Pure; holds nothing of any instance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from proxy.deid import bulk, dummies, markers
from proxy.deid.decisions import decider_of
from proxy.deid.encode import Element, encode_dataset
from proxy.deid.iod import resolve
from proxy.deid.level import Run
from proxy.deid.pixels import truth
from proxy.deid.profile import Policy

#: what the engine itself writes, or looks at in the result
_TOLD = frozenset({0x00080005, 0x00100010, 0x00100020, *markers.TAGS, *truth.TAGS, *bulk.TAGS})
#: what may happen to an element, as reports call it
COUNTS = ("kept", "removed", "remapped", "shifted", "emptied", "replaced")
_COUNTS = {"X": "removed", "Z": "emptied", "D": "replaced"}


@dataclass(frozen=True, slots=True)
class Conclusion:
    """``part`` leaves, None where nothing does; ``count`` says what happened."""

    part: Run | None
    count: str


@dataclass(frozen=True, slots=True)
class Foregone:
    """Conclusions by tag, and the same for kernels: sorted tags, what happens, and bytes from ``starts`` on."""

    conclusions: Mapping[int, Conclusion]
    tags: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    starts: NDArray[np.int64]
    data: NDArray[np.uint8]


@lru_cache(maxsize=256)
def foregone_of(policy: Policy, sop_class: str, implicit: bool, little: bool) -> Foregone:
    """For the rows of Table E.1-1."""
    return foregone(dict(_conclusions(policy, sop_class, implicit, little)) if not policy.rules else {})


def foregone(conclusions: Mapping[int, Conclusion]) -> Foregone:
    """``conclusions`` in both forms."""
    tags = sorted(conclusions)
    parts = [found.part.data if (found := conclusions[tag]).part is not None else b"" for tag in tags]
    return Foregone(
        conclusions,
        np.array(tags, np.int64),
        np.array([COUNTS.index(conclusions[tag].count) for tag in tags], np.uint8),
        np.cumsum([0, *map(len, parts)], dtype=np.int64),
        np.array([*b"".join(parts)], np.uint8),
    )


def _conclusions(policy: Policy, sop_class: str, implicit: bool, little: bool) -> Iterator[tuple[int, Conclusion]]:
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
        yield tag, Conclusion(part, _COUNTS[action])


def _value(action: str, tag: int, vr: str) -> bytes | None:
    """What the element will hold; None where it goes, or where that is not the same for every instance."""
    if vr in ("", "SQ", "UI"):
        return None
    return b"" if action == "Z" else dummies.dummy(tag, vr) if action == "D" else None
