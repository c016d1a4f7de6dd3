"""The pixels of one instance through their stages: looked at where they must be, blanked, cleared, written back.

The decision is made (`burned_in`); here it is carried out on frames, however they are coded (`images`). Pure; what
cannot be done safely raises `InstanceHeld`.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.deid.decode import Instance
from proxy.deid.pixels.coded_images import CodedImages
from proxy.deid.pixels.images import Images, NativeImages
from proxy.deid.pixels.layout import layout_of
from proxy.deid.pixels.plan import Decision, TextReader, Work
from proxy.deid.pixels.truth import Coded
from proxy.deid.profile import Policy
from proxy.deid.tables import TransferSyntax
from proxy.deid.types import Chunk, Slice
from proxy.errors import InstanceHeld, Reason


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """The pixel data element as chunks over the instance's body, () where there is none, and what was done to it."""

    syntax: TransferSyntax
    chunks: tuple[Chunk, ...]
    work: Work
    coded: Coded | None = None

    @property
    def changed(self) -> bool:
        """Whether the data set has to say something else of its pixels."""
        return self.work.clean or self.work.decision.face or bool(self.work.areas) or self.coded is not None


def scrub(instance: Instance, decision: Decision, policy: Policy, reader: TextReader | None) -> Scrubbed:
    """Carry out ``decision`` on the pixel data of ``instance``."""
    if instance.pixels is None:
        return Scrubbed(instance.syntax, (), Work(decision))
    if instance.syntax.handling == "video":  # nothing reads it: the decision answers for it
        run = Slice(instance.pixels.offset, instance.pixels.end - instance.pixels.offset)
        return Scrubbed(instance.syntax, (run,), Work(decision))
    images = images_of(instance, policy)
    if decision.look != "no":
        raise InstanceHeld(Reason.PIXELS_UNINSPECTED, "these pixels cannot be read yet", instance.pixels.tag)
    written = images.written(decision.areas)
    work = Work(
        decision,
        written.areas,
        "no",
        written.cleared,
        recoded=instance.syntax.uid if written.syntax.uid != instance.syntax.uid else "",
        clean=decision.covered,
    )
    return Scrubbed(written.syntax, written.chunks, work, written.coded)


def images_of(instance: Instance, policy: Policy) -> Images:
    """The frames of ``instance``, which has pixel data."""
    pixels = instance.pixels
    if pixels is None:
        raise InstanceHeld(Reason.PIXELS_UNREADABLE, "there is no pixel data")
    layout = layout_of(instance.root, instance.syntax, pixels.tag, pixels.vr)
    if instance.syntax.handling == "native":
        return NativeImages(instance, pixels, layout)
    return CodedImages(instance, pixels, layout, policy.transfer_syntaxes)
