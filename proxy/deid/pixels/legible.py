"""The second reading, of what is about to leave: whether a text in it still names somebody. Pure.

It looks otherwise than the first one: at another size, and at what the recogniser reads, head down and from the sides
as well, held against what the original said of people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from proxy.deid.pixels.closely import cut_of, reading
from proxy.deid.pixels.frames import Frame
from proxy.deid.pixels.likeness import Identifiers
from proxy.deid.pixels.looking import Look, is_whole
from proxy.deid.pixels.plan import Box, Layout, TextReader
from proxy.deid.pixels.texts import Bounded, Texts
from proxy.deid.pixels.views import pictures, planes, stretched

#: what the detector sees is enlarged by
_TIMES = 1.5
#: how sure the recogniser must be of what names somebody: hardly
_SURE = 0.4


def finds(frame_of: Callable[[int], Frame], layout: Layout, reader: TextReader, identities: Sequence[str]) -> bool:
    """Whether any frame shows a text like one of ``identities``; `InstanceHeld` where it is too much to read."""
    bounded = Bounded(reader)
    texts, look, somebody = Texts(bounded, layout, _TIMES), Look("full"), Identifiers(identities)
    for index in range(layout.frames):
        frame = frame_of(index)
        for box in texts.of(frame, (), whole=is_whole(look, layout.frames, index)):
            if any(somebody.like(text) for text in _readings(frame, layout, bounded, box)):
                return True
    return False


def _readings(frame: Frame, layout: Layout, reader: TextReader, box: Box) -> Iterator[str]:
    """What can be read in ``box``, in every picture and plane, from all sides."""
    shown = [cut_of(picture, box) for picture in pictures(frame, layout)]
    shown += [stretched(cut_of(plane, box)) for plane in planes(frame, layout)]
    for line in shown:
        for turns in range(4):
            text, sure = reading(reader, line, turns)
            if sure >= _SURE:
                yield text
