"""The pixels of one instance through their stages: read, blank, encode again, and nothing else.

Pure; what cannot be done safely raises `InstanceHeld`.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.deid.decode import Instance
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
        return self.work.clean or bool(self.work.areas) or self.coded is not None


def scrub(instance: Instance, decision: Decision, policy: Policy, reader: TextReader | None) -> Scrubbed:
    """Carry out ``decision`` on the pixel data of ``instance``."""
    pixels = instance.pixels
    if pixels is None:
        return Scrubbed(instance.syntax, (), Work())
    if decision.areas or decision.look != "no":
        raise InstanceHeld(Reason.PIXELS_UNINSPECTED, "these pixels cannot be blanked yet", pixels.tag)
    return Scrubbed(instance.syntax, (Slice(pixels.offset, pixels.end - pixels.offset),), Work())
