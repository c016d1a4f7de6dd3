"""Makes pictures of one instance (PS3.18 8.3.5, 8.7.4): see `rendering`.

Made for de-identified instances: whatever the header says may be drawn. One frame is decoded at a time. Pure; what
cannot be rendered raises `InstanceHeld`: `UNSUPPORTED_CONTENT` and `NO_CODEC` where nothing is to be seen here, others
where the pixels are damaged.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.deid.access import plain_of
from proxy.deid.decode import Instance, read_instance
from proxy.deid.pixels.header import Header
from proxy.deid.pixels.images import Images
from proxy.deid.pixels.rendering import ANIMATED, Rendered, Rendering
from proxy.deid.pixels.rendering_light import light_of
from proxy.deid.pixels.rendering_picture import OutsideImage, animation, drawn, still
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
