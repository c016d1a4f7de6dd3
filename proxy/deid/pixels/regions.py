"""Device rules: where a known device draws text, by what its images say of themselves, for each matrix size.

`device_words` reads them. A rule that is about an instance, but not for its matrix size, holds the instance: boxes of
another size would leave a name. Of several rules in force all are applied; a blanked pixel stays blanked. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.boxes import outside
from proxy.deid.pixels.plan import Area, Box
from proxy.deid.pixels.signature import BURNED_IN_ANNOTATION, Signature, comparisons, holds
from proxy.deid.pixels.ultrasound import regions
from proxy.errors import InstanceHeld, Reason

#: columns and rows, 0 where it does not matter
Size = tuple[int, int]
_NUMBER_OF_FRAMES = 0x00280008


@dataclass(frozen=True, slots=True)
class Parts:
    """What is blanked. ``keep``: all but this, () for all; ``ultrasound``: all but the regions of the header.

    ``frames`` are counted from 0; None: every frame.
    """

    blank: tuple[Box, ...] = ()
    keep: tuple[Box, ...] | None = None
    ultrasound: bool = False
    frames: tuple[int, ...] | None = None

    def boxes(self, root: Attributes, columns: int, rows: int) -> Iterator[Box]:
        """As boxes inside a frame of this size."""
        kept = self.keep
        if self.ultrasound:
            kept = regions(root, columns, rows)
            if not kept:
                raise InstanceHeld(Reason.PIXEL_RULE_MISMATCH, "a rule keeps ultrasound regions, and there are none")
        if kept is not None:
            yield from outside(kept, columns, rows)
        for box in self.blank:
            if (inside := box.within(columns, rows)) is not None:
                yield inside


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """``any_size``: for sizes that ``sizes`` does not have. ``covers``: its boxes are all the text that there is.

    ``strict``: without parts for an image's size the image is held.
    """

    name: str
    signature: Signature
    sizes: Mapping[Size, Parts] = field(default_factory=dict)
    any_size: Parts | None = None
    strict: bool = True
    covers: bool = False

    def parts(self, columns: int, rows: int) -> Parts | None:
        """What is blanked on images of this size; None where the rule does not say."""
        for size in ((columns, rows), (0, rows), (columns, 0)):
            if size in self.sizes:
                return self.sizes[size]
        return self.any_size

    @property
    def names_annotation(self) -> bool:
        """Whether it was written for images that say that text is burned in."""
        return any(each.path == (BURNED_IN_ANNOTATION,) for each in comparisons(self.signature))


@dataclass(frozen=True, slots=True)
class DeviceFile:
    """The rules of one file. ``first``: only the first rule that matches and has the size is applied."""

    name: str
    rules: tuple[DeviceRule, ...]
    first: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What device rules say of one instance.

    ``covered``: one of them answers for all text; ``explained``: it was written for images that say they have some.
    """

    areas: tuple[Area, ...] = ()
    rules: tuple[str, ...] = ()
    covered: bool = False
    explained: bool = False


def find(files: Sequence[DeviceFile], root: Attributes, columns: int, rows: int) -> Found:
    """Everything that ``files`` blank on this instance; `PIXEL_RULE_MISMATCH` where a rule is for another size."""
    areas: list[Area] = []
    names: list[str] = []
    covered = explained = False
    frames = _frames(root)
    for file in files:
        for rule, parts in _in_force(file, root, columns, rows):
            name = f"{file.name}/{rule.name}"
            areas += _areas(parts, root, (columns, rows), name, frames)
            names.append(name)
            covered |= rule.covers
            explained |= rule.covers and rule.names_annotation
    return Found(tuple(areas), tuple(names), covered, explained)


def _in_force(file: DeviceFile, root: Attributes, columns: int, rows: int) -> list[tuple[DeviceRule, Parts]]:
    found: list[tuple[DeviceRule, Parts]] = []
    missed: DeviceRule | None = None
    for rule in file.rules:
        if not holds(rule.signature, root):
            continue
        parts = rule.parts(columns, rows)
        if parts is not None:
            found.append((rule, parts))
            if file.first:
                return found
        elif rule.strict and missed is None:
            missed = rule
    if missed is not None:
        detail = f"rule {file.name}/{missed.name} is for images of another size"
        raise InstanceHeld(Reason.PIXEL_RULE_MISMATCH, detail, 0x00280010)
    return found


def _areas(parts: Parts, root: Attributes, size: Size, name: str, frames: int) -> Iterator[Area]:
    wanted = parts.frames
    if wanted is not None:
        wanted = tuple(frame for frame in wanted if frame < frames)
        if not wanted:
            return
    for box in parts.boxes(root, *size):
        yield Area(box, f"device rule {name}", wanted)


def _frames(root: Attributes) -> int:
    numbers = root.numbers(_NUMBER_OF_FRAMES)
    return int(numbers[0]) if numbers else 1
