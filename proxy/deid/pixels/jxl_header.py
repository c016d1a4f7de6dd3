"""The headers of a JPEG XL code stream (ISO/IEC 18181-1) and the boxes of its file format (18181-2).

Read as far as an image of DICOM goes: one picture without preview, animation, extra channels, orientation or ICC
profile, whose text would travel along. What has any of these is `PIXELS_UNREADABLE`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.deid.pixels.code_stream import Bytes, StreamHeader, unreadable
from proxy.deid.pixels.jp2_boxes import Box, boxes

SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_BARE = b"\xff\x0a"
#: enough for every header that is accepted here
_HEADER_BYTES = 64
_SIZES = ((9, 1), (13, 1), (18, 1), (30, 1))
#: width by height (18181-1 D.2): numerator, denominator
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_BITS = ((0, 8), (0, 10), (0, 12), (6, 1))
_CHANNELS = ((0, 0), (0, 1), (4, 2), (12, 1))
_ENUM = ((0, 0), (0, 1), (4, 2), (6, 18))
_COMPONENTS = {0: 3, 1: 1}


@dataclass(frozen=True, slots=True)
class Jxl:
    """``boxes``: () for a bare code stream; ``jpeg``: holds what turns it back into the JPEG that it was made from."""

    header: StreamHeader
    boxes: tuple[Box, ...]
    jpeg: bool


class _Bits:
    """Fields of a code stream, least significant bit first (18181-1 B.2)."""

    def __init__(self, data: bytes) -> None:
        self._left, self._number = len(data) * 8, int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        """``count`` bits as a number."""
        if count > self._left:
            raise unreadable("a JPEG XL code stream that ends in its header")
        value = self._number & ((1 << count) - 1)
        self._number >>= count
        self._left -= count
        return value

    def choose(self, table: tuple[tuple[int, int], ...]) -> int:
        """U32: two bits choose how many follow, and what to add to them."""
        bits, offset = table[self.take(2)]
        return self.take(bits) + offset


def read_jxl(stream: Bytes) -> Jxl:
    """Header and boxes of a JPEG XL stream."""
    head = bytes(stream[:_HEADER_BYTES])
    if head[:2] == _BARE:
        return Jxl(_header(head), (), jpeg=False)
    if head[:12] != SIGNATURE:
        raise unreadable("not a JPEG XL code stream")
    found = tuple(boxes(stream, 0, len(stream), padding=1))
    parts = [box for box in found if box.kind in (b"jxlc", b"jxlp")]
    if not parts or (parts[0].kind == b"jxlc" and len(parts) > 1):
        raise unreadable("a JPEG XL file without exactly one code stream")
    skipped = 4 if parts[0].kind == b"jxlp" else 0
    content = b"".join(
        bytes(stream[box.start + skipped : min(box.end, box.start + skipped + _HEADER_BYTES)]) for box in parts[:2]
    )
    return Jxl(_header(content), found, jpeg=any(box.kind == b"jbrd" for box in found))


def _header(data: bytes) -> StreamHeader:
    """SizeHeader and ImageMetadata (18181-1 D.2, D.3)."""
    if data[:2] != _BARE:
        raise unreadable("not a JPEG XL code stream")
    bits = _Bits(data[2:])
    small = bits.take(1)
    rows = 8 * (bits.take(5) + 1) if small else bits.choose(_SIZES)
    ratio = bits.take(3)
    if ratio:
        numerator, denominator = _RATIOS[ratio]
        columns = rows * numerator // denominator
    else:
        columns = 8 * (bits.take(5) + 1) if small else bits.choose(_SIZES)
    if bits.take(1):  # all_default: three components of 8 bits in XYB
        return StreamHeader(rows, columns, 3, 8)
    if bits.take(1):  # extra_fields
        raise unreadable("a JPEG XL image with orientation, preview or animation")
    if bits.take(1):
        raise unreadable("a JPEG XL image of floating point samples")
    precision = bits.choose(_BITS)
    bits.take(1)  # modular_16bit_buffers
    if bits.choose(_CHANNELS):
        raise unreadable("a JPEG XL image with extra channels")
    bits.take(1)  # xyb_encoded
    return StreamHeader(rows, columns, _components(bits), precision)


def _components(bits: _Bits) -> int:
    """ColourEncoding (18181-1 E.2) as far as it tells the number of components."""
    if bits.take(1):  # all_default: sRGB
        return 3
    if bits.take(1):
        raise unreadable("a JPEG XL image with an ICC profile")
    components = _COMPONENTS.get(bits.choose(_ENUM))
    if components is None:
        raise unreadable("a JPEG XL image in a colour space that DICOM has not")
    return components
