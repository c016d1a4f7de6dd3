"""What the walk needs of a data set or item, whoever has read it.

`proxy.deid.document` reads on the compiled scan; in the tests a reference reads with pydicom. Protocols and plain
values only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, Union

Value = Union[bytes, "list[Level]"]


class Run(NamedTuple):
    """Encoded elements that leave as they are here. ``tag`` is the first one's; ``kept``: how many were.

    ``others``: what else happened, to how many; nested elements count too.
    """

    tag: int
    data: bytes
    kept: int
    others: tuple[tuple[str, int], ...] = ()


class Gone(NamedTuple):
    """``removed`` neighbours that no rule keeps."""

    removed: int


class Level(Protocol):
    """One data set or item."""

    def __contains__(self, tag: int) -> bool: ...

    def tags(self) -> list[int]:
        """All tags but those of pixel data at the top, in tag order."""
        ...

    def parts(self) -> Iterator[int | Run | Gone]:
        """As `tags`, with what needs no thought gathered."""
        ...

    def value(self, tag: int) -> tuple[str, Value]:
        """VR ("" in implicit VR) and encoded value; items where the encoding says that it is a sequence."""
        ...

    def items(self, tag: int) -> list[Level]:
        """The items of a sequence, whatever its VR says; [] when it holds none."""
        ...
