"""What an instance must say about its own de-identification (PS3.15 E.1.1, E.2, E.3.6; codes of CID 7050).

Earlier passes are added to, not overwritten. What changed pixels say of themselves is in `pixels.truth`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import proxy
from proxy.deid import dummies
from proxy.deid.encode import Element, Item, Part, encode_dataset
from proxy.deid.level import Run
from proxy.deid.profile import Policy

PATIENT_IDENTITY_REMOVED = 0x00120062
DEIDENTIFICATION_METHOD = 0x00120063
DEIDENTIFICATION_METHOD_CODE_SEQUENCE = 0x00120064
LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED = 0x00280303
_LONGEST = 64
#: CID 7050: stated by the instances whose pixels were answered for, whatever the policy is
_CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
#: what this module writes
TAGS = (
    PATIENT_IDENTITY_REMOVED,
    DEIDENTIFICATION_METHOD,
    DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
    LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
)
_TAGS = frozenset(TAGS)


def mark(elements: dict[int, Part], policy: Policy, clean: bool, implicit: bool, little: bool) -> int:
    """Write the markers into ``elements``; returns how many. ``clean``: see `pixels.plan.Work`."""
    ours = _alone(policy, clean, implicit, little) if _TAGS.isdisjoint(elements) else _markers(elements, policy, clean)
    elements.update(ours)
    return len(ours)


@lru_cache(maxsize=256)
def _alone(policy: Policy, clean: bool, implicit: bool, little: bool) -> Mapping[int, Part]:
    """The markers of an instance that says nothing of an earlier pass, encoded: always the same."""
    ours = _markers({}, policy, clean)
    return {tag: Run(tag, encode_dataset((each,), implicit=implicit, little=little), 0) for tag, each in ours.items()}


def _markers(elements: Mapping[int, Part], policy: Policy, clean: bool) -> dict[int, Part]:
    codes = _codes(elements.get(DEIDENTIFICATION_METHOD_CODE_SEQUENCE), policy, clean)
    markers = [
        Element(PATIENT_IDENTITY_REMOVED, "CS", b"YES"),
        Element(DEIDENTIFICATION_METHOD, "LO", _method(elements.get(DEIDENTIFICATION_METHOD), policy)),
        Element(LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, "CS", policy.longitudinal.encode("ascii")),
    ]
    if codes:  # type 1C: where no profile can be claimed, the method says so in words
        markers.append(Element(DEIDENTIFICATION_METHOD_CODE_SEQUENCE, "SQ", codes))
    return {marker.tag: marker for marker in markers}


def codes(policy: Policy, clean: bool) -> tuple[tuple[str, str], ...]:
    """CID 7050 codes and meanings that an instance states."""
    return (*policy.methods, _CLEAN_PIXELS) if clean and policy.claims_profile else policy.methods


def methods(policy: Policy) -> tuple[str, ...]:
    """(0012,0063): as many values as options need, each of at most 64 characters."""
    kind = "basic" if policy.claims_profile else "with site rules, not all of basic"
    said = [f"Veil {proxy.__version__}: {policy.edition} {kind}"]
    for option in policy.options:
        if len(said[-1]) + 1 + len(option) <= _LONGEST:
            said[-1] += f"+{option}"
        else:
            said.append(f"Veil: +{option}")
    return tuple(said)


def _method(earlier: Part | None, policy: Policy) -> bytes:
    ours = [value.encode("ascii") for value in methods(policy)]
    if not isinstance(earlier, Element) or not isinstance(earlier.value, bytes):
        return b"\\".join(ours)
    values = [value.strip(b" \0") for value in earlier.value.split(b"\\")]
    return b"\\".join([value for value in values if value and value not in ours] + ours)


def _codes(earlier: Part | None, policy: Policy, clean: bool) -> tuple[Item, ...]:
    items = earlier.value if isinstance(earlier, Element) and isinstance(earlier.value, tuple) else ()
    stated = {_code_of(item) for item in items}
    ours = tuple(
        dummies.code(value.encode("ascii"), b"DCM", meaning.encode("ascii"))
        for value, meaning in codes(policy, clean)
        if (value.encode("ascii"), b"DCM") not in stated
    )
    return (*items, *ours)


def _code_of(item: Item) -> tuple[bytes, bytes]:
    values = {e.tag: e.value.strip(b" \0") for e in item if isinstance(e, Element) and isinstance(e.value, bytes)}
    return values.get(0x00080100, b""), values.get(0x00080102, b"")
