"""One instance as pictures: what is asked for, and what comes of it (PS3.18 8.3.5, 8.7.4).

Made for de-identified instances: whatever the header says may be drawn. One frame is decoded at a time. Pure; what
cannot be rendered raises `InstanceHeld`: `UNSUPPORTED_CONTENT` and `NO_CODEC` where nothing is to be seen here, others
where the pixels are damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from proxy.deid.access import plain_of
from proxy.deid.decode import Instance, read_instance
from proxy.deid.pixels.display import Window
from proxy.deid.pixels.header import Header
from proxy.deid.pixels.images import Images
from proxy.deid.pixels.rendering_light import light_of
from proxy.deid.pixels.rendering_picture import ANIMATED, OutsideImage, Viewport, animation, drawn, still
from proxy.deid.pixels.rendering_report import is_report, report
from proxy.deid.pixels.rendering_words import lines_of, milliseconds_of
from proxy.deid.pixels.stage import images_of
from proxy.deid.pixels.views import Picture
from proxy.deid.profile import Policy
from proxy.deid.values import strict_text
from proxy.errors import InstanceHeld, Reason

#: pixels of all frames of one animation, after scaling
_MOST_ANIMATED = 1 << 26
_UIDS = (0x0020000D, 0x0020000E, 0x00080018)


@dataclass(frozen=True, slots=True)
class Rendering:
    """What is asked for. ``frame``: counted from 1, 0 for the one in the middle.

    ``whole``: all frames in one picture that moves, where the media type has such and there is more than one frame.
    ``annotations``: names of `rendering_words.KINDS`. ``text``: what a report may come as, of `rendering_report.TEXTS`.
    Either media type may be "": then none is wanted.
    """

    media: str = "image/jpeg"
    frame: int = 0
    whole: bool = False
    viewport: Viewport | None = None
    window: Window | None = None
    quality: int = 90
    annotations: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The picture, encoded; ``frames`` of the instance, 0 of a report, and its study, series and SOP Instance UID.

    ``data`` is empty where ``missing`` is "frame" or "region": there is no such thing in the instance.
    """

    frames: int
    uids: tuple[str, str, str]
    data: bytes = field(default=b"", repr=False)
    missing: str = ""


def render(data: memoryview, policy: Policy, wanted: Rendering) -> Rendered:
    """The picture of a Part 10 file. ``policy`` gives limits and transfer syntaxes, and decides nothing here."""
    with strict_text():
        instance = read_instance(data, policy)
        study, series, own = (plain_of(instance.root, tag) or "" for tag in _UIDS)
        if instance.pixels is None and wanted.text and is_report(instance.root):
            return Rendered(0, (study, series, own), report(instance.root, wanted.text))
        if instance.pixels is None or not wanted.media:
            raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "there are no pixels to render, or none are wanted")
        if instance.syntax.handling == "video":
            raise InstanceHeld(Reason.NO_CODEC, "video is not rendered")
        images = images_of(instance, policy)
        frames = images.layout.frames
        if wanted.frame > frames:
            return Rendered(frames, (study, series, own), missing="frame")
        try:
            encoded = _encoded(instance, images, wanted)
        except OutsideImage:
            return Rendered(frames, (study, series, own), missing="region")
        return Rendered(frames, (study, series, own), encoded)


def _encoded(instance: Instance, images: Images, wanted: Rendering) -> bytes:
    frames = images.layout.frames
    if not (wanted.whole and wanted.media == ANIMATED and frames > 1):
        index = wanted.frame - 1 if wanted.frame else frames // 2
        return still(_picture(instance, images, wanted, index), wanted.media, wanted.quality)

    def moving() -> Iterator[Picture]:
        for index in range(frames):
            picture = _picture(instance, images, wanted, index)
            if picture.shape[0] * picture.shape[1] * frames > _MOST_ANIMATED:
                raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "too much for one animation: ask for a smaller viewport")
            yield picture

    return animation(moving(), milliseconds_of(instance.root))


def _picture(instance: Instance, images: Images, wanted: Rendering, index: int) -> Picture:
    header = Header(instance.root, instance.syntax.little)
    light = light_of(images.frame(index), index, images.layout, header, wanted.window)
    lines = lines_of(instance.root, wanted.annotations, index, images.layout.frames)
    return drawn(light, wanted.viewport, lines)
