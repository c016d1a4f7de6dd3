"""The pixels of one instance through their stages: looked at where they must be, blanked, cleared, written back.

The decision is made (`burned_in`); here it is carried out on frames, however they are coded (`images`). Pure; what
cannot be done safely raises `InstanceHeld`.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from proxy.deid.access import plain_of
from proxy.deid.decode import Instance
from proxy.deid.identity import identity_of
from proxy.deid.pixels.coded_images import CodedImages
from proxy.deid.pixels.images import Images, NativeImages
from proxy.deid.pixels.layout import layout_of
from proxy.deid.pixels.looking import Look, text_areas
from proxy.deid.pixels.plan import Area, Decision, TextReader, Work
from proxy.deid.pixels.truth import BURNED_IN_ANNOTATION as BURNED_IN
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
    areas = (*decision.areas, *_texts(instance, images, decision, policy, reader))
    if decision.insist and not areas:
        raise InstanceHeld(Reason.TEXT_UNDECIDED, "text is said to be burned in, and none is found", BURNED_IN)
    written = images.written(areas)
    work = Work(
        decision,
        written.areas,
        decision.look,
        written.cleared,
        recoded=instance.syntax.uid if written.syntax.uid != instance.syntax.uid else "",
        clean=decision.covered or decision.look == "full",
    )
    return Scrubbed(written.syntax, written.chunks, work, written.coded)


def _texts(
    instance: Instance, images: Images, decision: Decision, policy: Policy, reader: TextReader | None
) -> tuple[Area, ...]:
    """What a reading for text finds, as far as the decision asks for one."""
    if decision.look == "no":
        return ()
    if reader is None:
        raise InstanceHeld(Reason.PIXELS_UNINSPECTED, "there is no reader of text", 0x7FE00010)
    words = policy.pixels
    keeps = words.keep_text == "harmless"
    seed = hmac.digest(policy.root_key, b"veil/v1/audit" + str(plain_of(instance.root, 0x00080018)).encode(), "sha256")
    named = identities(instance, policy) if keeps else ()
    look = Look(decision.look, words.audit, seed, keeps, named)
    return text_areas(images.frame, images.layout, look, decision.areas, reader)


def identities(instance: Instance, policy: Policy) -> tuple[str, ...]:
    """What the header says of people, places and numbers: PHI, to be compared with what is read."""
    known = identity_of(instance.root, policy.vrs)
    return (*known.names, *known.numbers, *known.places, *known.dates)


def images_of(instance: Instance, policy: Policy) -> Images:
    """The frames of ``instance``, which has pixel data."""
    pixels = instance.pixels
    if pixels is None:
        raise InstanceHeld(Reason.PIXELS_UNREADABLE, "there is no pixel data")
    layout = layout_of(instance.root, instance.syntax, pixels.tag, pixels.vr)
    if instance.syntax.handling == "native":
        return NativeImages(instance, pixels, layout)
    return CodedImages(instance, pixels, layout, policy.transfer_syntaxes)
