"""What would become of one instance under one policy: the outcome, its elements one by one, a masked picture.

No value of the instance is in it, so that it can be shown on a page: tags, names of attributes, actions and rules.
Bounded: so many elements as are asked for, one frame. Plain values; `steps` and `pixels.masked` make them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.deid.pixels.shown import NOTHING, Masked

#: elements that one answer has at most
MOST_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Wish:
    """Elements from number ``start`` on, from 0, ``most`` of them; and frame ``frame``, from 1; 0: no picture."""

    start: int = 0
    most: int = 200
    frame: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """What happens to one element. ``path``: the items that it lies in, from 0; "" at the top."""

    path: str
    tag: str
    keyword: str
    vr: str
    action: str
    rule: str
    section: str


@dataclass(frozen=True, slots=True)
class Table:
    """Some of the ``elements``; ``missing`` says why there are none to show."""

    elements: int = 0
    rows: tuple[Row, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Previewed:
    """``reason`` is "" where the instance would be released. ``tag``: the element that is the matter, "" for none.

    ``pixels``: what is done to them, in words of ours.
    """

    reason: str = ""
    detail: str = ""
    tag: str = ""
    pixels: str = ""
    table: Table = field(default_factory=Table)
    picture: Masked = field(default_factory=lambda: Masked(NOTHING, "none was asked for"))

    @property
    def released(self) -> bool:
        """Whether it would leave."""
        return not self.reason
