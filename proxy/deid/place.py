"""Where the walk is, whose instance it is, and what it notes down on its way. Plain values; no behaviour.

A `Step` is one line of an explanation: where, what, by which rule. It never holds a value of the data set.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from proxy.deid.access import charset_of
from proxy.deid.content_tree import Content
from proxy.deid.iod import Path
from proxy.deid.level import Level
from proxy.deid.private_walk import PrivatePlace
from proxy.deid.values import Charset


@dataclass(frozen=True, slots=True)
class Subject:
    """The patient of the instance: whose pseudonym and date offset everything in it gets."""

    patient_id: str = field(repr=False)
    offset: int = field(repr=False)
    issuer: str = field(repr=False)
    #: minutes to add to times, where the profile moves them
    minutes: int = field(default=0, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A data set or item, the sequences around it, the character set in force.

    ``skeleton``: only structure and numbers are wanted, all text is dummied.
    """

    source: Level
    path: Path
    charset: Charset
    skeleton: bool = False
    #: each element by itself, none in runs: somebody reads the result
    apart: bool = False
    #: as ``path``, with the number of the item behind each sequence
    numbered: Path = ()
    #: inside a content item: what its plan says
    content: Content | None = None
    #: where safe private elements stay: what is decided for them here
    private: PrivatePlace | None = None

    def entered(self) -> Place:
        """With the character set that the data set or item itself declares."""
        return replace(self, charset=charset_of(self.source, self.charset))


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to one element. ``path``: sequence tag, item number, sequence tag, item number ..."""

    path: Path
    tag: int
    vr: str
    action: str
    rule: str
    section: str
