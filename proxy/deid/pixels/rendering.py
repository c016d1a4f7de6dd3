"""One instance as pictures: what is asked for, and what comes of it (PS3.18 8.3.5, 8.7.4). Plain values.

`rendering_file` makes them; who only asks and hands on does not import what decodes and draws.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.deid.pixels.display import Window

JPEG, PNG, ANIMATED = "image/jpeg", "image/png", "image/gif"
#: what pictures come as, the default first
MEDIA = (JPEG, ANIMATED, PNG)


@dataclass(frozen=True, slots=True)
class Viewport:
    """To fit into ``columns`` by ``rows`` (0: as large as the source), and the region of the source to show.

    ``width`` and ``height`` of 0: all there is from ``left`` and ``top`` on; negative: mirrored. ``shares``: the region
    is given in shares of the image (PS3.18 9.4.1.2.8), otherwise in its pixels.
    """

    columns: int = 0
    rows: int = 0
    left: float = 0.0
    top: float = 0.0
    width: float = 0.0
    height: float = 0.0
    shares: bool = False


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
