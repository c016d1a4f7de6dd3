"""One instance under one policy, told element by element: the steps of the engine, and whether the gate lets it out.

Steps hold no values; `shown` makes one readable for who asks for it. Nothing leaves through here. Pure.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from proxy.deid.contents import Contents
from proxy.deid.engine import deidentify, explain
from proxy.deid.pixels.plan import TextReader
from proxy.deid.place import Step
from proxy.deid.profile import Policy
from proxy.deid.reading import Leaf, Path
from proxy.deid.release import KEY_BYTES
from proxy.deid.repertoire import decode
from proxy.deid.tables import tag_text
from proxy.deid.types import Claimed, materialise
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld

#: VR → how one value of it is packed (PS3.5 6.2)
_FORMATS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Explained:
    """``held`` is None where the instance is released; then ``output`` is what would leave."""

    steps: tuple[Step, ...]
    output: bytes = field(repr=False)
    held: InstanceHeld | None


def examine(data: memoryview, policy: Policy, reader: TextReader | None = None) -> Explained:
    """Explain ``data``; what engine or gate refuse is in the answer, not raised."""
    steps: tuple[Step, ...] = ()
    try:
        steps = tuple(explain(data, Claimed(), policy, reader))
        result = deidentify(data, Claimed(), policy, reader)
        Gate(bytes(KEY_BYTES), reader).verify(data, result, policy)
    except InstanceHeld as held:
        return Explained(steps, b"", held)
    return Explained(steps, materialise(result.chunks, data), None)


def place(path: Path, tag: int) -> str:
    """``(0008,1140)[0].(0008,1155)``: items are counted from 0."""
    steps = [f"{tag_text(sequence)}[{item}]" for sequence, item in zip(path[::2], path[1::2], strict=True)]
    return ".".join([*steps, tag_text(tag)])


def shown(contents: Contents, path: Path, tag: int) -> str:
    """One value on one line, cut where it is long; "" where there is none. This is PHI."""
    leaf = contents.places.get((path, tag))
    if leaf is None or leaf.vr == "SQ":
        return ""
    if leaf.vr in _BULK:
        return f"<{len(leaf.value)} bytes>"
    text = _numbers(leaf, contents.little) if leaf.vr in _FORMATS else _text(leaf)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _numbers(leaf: Leaf, little: bool) -> str:
    form = struct.Struct(("<" if little else ">") + _FORMATS[leaf.vr])
    count = min(len(leaf.value) // form.size, _LONGEST)
    return "\\".join(f"{form.unpack_from(leaf.value, n * form.size)[0]:g}" for n in range(count))


def _text(leaf: Leaf) -> str:
    raw = bytes(leaf.value[: 4 * _LONGEST])
    text = decode(raw, leaf.codec or "latin_1", strict=False).strip(" \0")
    return "".join(c if c.isprintable() else "·" for c in text)
