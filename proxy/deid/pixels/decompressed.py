"""An instance with encapsulated pixel data as one with native pixel data, explicit VR little endian (PS3.5 A.2, A.4).

For who cannot read a compression. Frames are decoded and nothing else is done to them, so stored values stay, and what
a lossy compression has cost is still told: (0028,2110) to (0028,2114) are not touched, no element is but those that
say how the pixels are coded. Pure; what nothing here decodes raises `InstanceHeld`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from proxy.deid.decode import Instance, read_instance
from proxy.deid.encode import Element, bulk_head, encode_dataset, encode_head
from proxy.deid.pixels.code_stream import no_codec
from proxy.deid.pixels.images import Images
from proxy.deid.pixels.plan import Layout
from proxy.deid.pixels.stage import images_of
from proxy.deid.pixels.truth import OFFSETS, PHOTOMETRIC, PLANAR
from proxy.deid.pixels.unpack import pack
from proxy.deid.profile import Policy
from proxy.deid.tokens import scan
from proxy.deid.values import strict_text
from proxy.errors import InstanceHeld, Reason

EXPLICIT_LE = "1.2.840.10008.1.2.1"
#: of frames that were decoded, where that is another one (PS3.3 C.7.6.3.1.2, PS3.5 8.2)
PHOTOMETRICS = {"YBR_FULL_422": "YBR_FULL", "YBR_RCT": "RGB", "YBR_ICT": "RGB", "XYB": "RGB"}
#: what is about the encapsulation, and goes with it
ENCAPSULATION = frozenset({*OFFSETS, 0x7FE00003})
_NATIVE = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"})
_MOST = 0xFFFFFFFE


def decompress(data: memoryview, policy: Policy) -> tuple[bytes, ...]:
    """``data``, a Part 10 file, anew: what is before the pixel data element, that element in parts, what is behind."""
    with strict_text():
        instance = read_instance(data, policy)
        if instance.pixels is None or instance.syntax.handling != "encapsulated":
            raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "there are no pixels to decompress")
        images = images_of(instance, policy)
        layout = native_layout(images.layout)
        before, behind = _around(instance, layout, policy, images.layout.photometric != layout.photometric)
        return before, *_pixels(instance.pixels.tag, images, layout), behind


def native_layout(layout: Layout) -> Layout:
    """``layout`` as the data set has to tell it of decoded frames: colour by pixel, chrominance in full."""
    photometric = PHOTOMETRICS.get(layout.photometric, layout.photometric)
    odd = layout.allocated == 1 and layout.rows * layout.columns % 8 and layout.frames > 1
    if photometric not in _NATIVE or layout.kind != "integer" or odd:
        raise no_codec("pixels that have no simple native form")
    return replace(layout, photometric=photometric, planar=0, little=True, words=layout.allocated > 8, native=True)


def _around(instance: Instance, layout: Layout, policy: Policy, recoloured: bool) -> tuple[bytes, bytes]:
    """The encoded file up to the pixel data element, and from there on."""
    head, body, pixels = instance.head, instance.body, instance.pixels
    assert pixels is not None  # for the type checker: `decompress` has just looked
    told = {}
    if recoloured:
        told[PHOTOMETRIC] = Element(PHOTOMETRIC, "CS", layout.photometric.encode("ascii"))
    if layout.samples > 1:
        told[PLANAR] = Element(PLANAR, "US", b"\0\0")
    tokens = scan(body, head.dataset_offset, implicit=False, little=True, limits=policy.limits)
    parts = {token.tag: bytes(body[token.offset : token.end]) for token in tokens if _stays(token.tag, token.depth)}
    parts |= {tag: encode_dataset([element], implicit=False, little=True) for tag, element in told.items()}
    before = b"".join(parts[tag] for tag in sorted(parts) if tag < pixels.tag)
    behind = b"".join(parts[tag] for tag in sorted(parts) if tag > pixels.tag)
    return encode_head(EXPLICIT_LE, head.sop_class_uid, head.sop_instance_uid) + before, behind


def _stays(tag: int, depth: int) -> bool:
    return depth == 0 and tag not in ENCAPSULATION and tag != 0x7FE00010


def _pixels(tag: int, images: Images, layout: Layout) -> Iterator[bytes]:
    length = (layout.frames * layout.frame_bits + 7) // 8
    if length > _MOST:
        raise InstanceHeld(Reason.UNSUPPORTED_CONTENT, "decompressed it is longer than 4 GiB", tag)
    odd = length % 2
    yield bulk_head(tag, "OW" if layout.words else "OB", length + odd, implicit=False, little=True)
    for index in range(layout.frames):
        yield pack(images.frame(index), layout)
    yield bytes(odd)
