"""What JPEG and JPEG-LS streams carry beside their picture is gone afterwards, and the picture is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from proxy.deid.pixels import codecs
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.code_streams import Sample, cleaned, layout, of, picture, samples, without_pads
from tests.deid.pixels.test_jpeg_markers import DHT, SOF, SOS, at, insert, segment

CANARY = b"CANARY^SMITH"
JPEGS = [
    s
    for s in samples()
    if s.uid.startswith("1.2.840.10008.1.2.4.") and s.uid.split(".")[-1] in "50 51 53 57 70 80 81".split()
]


def seg(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


JFIF = b"JFIF\0\1\2\0\0\1\0\1"
CHANNELS: dict[str, Callable[[bytes], bytes]] = {
    "comment": lambda s: insert(s, 2, seg(0xFE, CANARY)),
    "comment before the scan": lambda s: insert(s, at(s, SOS), seg(0xFE, CANARY)),
    "comment behind the scan": lambda s: s[:-2] + seg(0xFE, CANARY) + s[-2:],
    "Exif": lambda s: insert(s, 2, seg(0xE1, b"Exif\0\0" + CANARY)),
    "XMP": lambda s: insert(s, 2, seg(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + CANARY)),
    "ICC": lambda s: insert(s, 2, seg(0xE2, b"ICC_PROFILE\0\1\1" + CANARY)),
    "Photoshop": lambda s: insert(s, 2, seg(0xED, b"Photoshop 3.0\0" + CANARY)),
    "every APPn": lambda s: insert(s, 2, b"".join(seg(m, CANARY) for m in range(0xE0, 0xF0))),
    "JFXX thumbnail": lambda s: insert(s, 2, seg(0xE0, b"JFXX\0\x10" + CANARY)),
    "JFIF thumbnail": lambda s: insert(s, 2, seg(0xE0, JFIF + b"\1\4" + CANARY)),
    "second JFIF": lambda s: insert(s, at(s, SOS), seg(0xE0, JFIF + b"\0\0") + seg(0xE0, JFIF + b"\1\4" + CANARY)),
    "SPIFF": lambda s: insert(s, 2, seg(0xE8, b"SPIFF\0\1\2" + CANARY * 2)),
    "quantization table of nobody": lambda s: insert(s, 2, seg(0xDB, b"\3" + (CANARY * 6)[:64])),
    "wide quantization table of nobody": lambda s: insert(s, 2, seg(0xDB, b"\x13" + (CANARY * 11)[:128])),
    "Huffman table of nobody": lambda s: insert(s, 2, seg(0xC4, b"\x13" + bytes([0] * 7 + [12] + [0] * 8) + CANARY)),
    "behind the end": lambda s: s + CANARY,
    "a second picture": lambda s: s + insert(s, 2, seg(0xFE, CANARY)),
}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("sample", JPEGS, ids=lambda sample: sample.name)
def test_channels(sample: Sample, channel: str) -> None:
    planted = CHANNELS[channel](sample.stream)
    cleaned(sample, planted, CANARY)


@pytest.mark.parametrize("sample", JPEGS, ids=lambda sample: sample.name)
def test_what_holds_nothing_stays(sample: Sample) -> None:
    """A pad byte is no reason; SPIFF and comments of the encoders are."""
    clean = without_pads(sample)
    assert codecs.strip(clean[:-2] + b"\xff\xff" + clean[-2:], sample.layout, sample.uid) == clean


def test_colour_marks_are_kept() -> None:
    """Adobe's transform and JFIF tell other decoders what the components are."""
    sample = of("4.50-444")
    jfif = segment(sample.stream, b"\xff\xe0")
    assert jfif[4:9] == b"JFIF\0"
    bare = sample.stream.replace(jfif, b"")
    for transform in (0, 1):
        adobe = seg(0xEE, b"Adobe\0d\0\0\0\0" + bytes([transform]))
        rgb = replace(sample.layout, photometric="YBR_FULL_422" if transform else "RGB")
        assert codecs.strip(insert(bare, 2, adobe), rgb, sample.uid) is None
        longer = seg(0xEE, b"Adobe\0d\0\0\0\0" + bytes([transform]) + CANARY)
        assert codecs.strip(insert(bare, 2, longer), rgb, sample.uid) == insert(bare, 2, adobe)


def test_a_thumbnail_does_not_take_the_colour_mark_along() -> None:
    """JFXX before JFIF, both APP0: the second is the one that is kept."""
    sample = of("4.50-444")
    assert codecs.strip(CHANNELS["JFXX thumbnail"](sample.stream), sample.layout, sample.uid) == sample.stream


def test_colour_transform_of_jpeg_ls_is_kept() -> None:
    """HP's transform changes samples: without its segment they would be others."""
    sample = of("4.80-colour")
    marked = insert(sample.stream, 2, seg(0xE8, b"mrfx\1"))
    assert not np.array_equal(imagecodecs.jpegls_decode(marked), sample.frame)
    assert codecs.strip(marked, sample.layout, sample.uid) is None


def test_tables_are_kept_where_a_scan_reads_them() -> None:
    """Redefined between scans: each scan keeps its own; what is defined again before any scan is gone."""
    sample = of("4.53-progressive")
    stream = sample.stream
    first = segment(stream, DHT)
    doubled = insert(stream, at(stream, DHT), first)
    assert codecs.strip(doubled, sample.layout, sample.uid) == stream
    assert stream.count(DHT) > 1
    with pytest.raises(InstanceHeld, match="without its tables"):
        codecs.strip(stream.replace(first, b""), sample.layout, sample.uid)


def test_heights_in_dnl() -> None:
    sample = of("4.50-grey")
    same = sample.stream[:-2] + seg(0xDC, (40).to_bytes(2, "big")) + sample.stream[-2:]
    assert codecs.strip(same, sample.layout, sample.uid) == sample.stream
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        codecs.strip(sample.stream[:-2] + seg(0xDC, b"\0\x50") + sample.stream[-2:], sample.layout, sample.uid)


@pytest.mark.parametrize("body", [b"\2\1\1" + CANARY, b"\1" + CANARY, b"\4" + bytes(10), b""])
def test_tables_of_jpeg_ls_that_are_no_parameters(body: bytes) -> None:
    """T.87 C.2.4.1.2: a mapping table changes samples; other lengths hide something."""
    sample = of("4.80-grey")
    with pytest.raises(InstanceHeld, match="no coding parameters"):
        codecs.strip(insert(sample.stream, 2, seg(0xF8, body)), sample.layout, sample.uid)


@pytest.mark.parametrize("body", [b"\0" + bytes(63), b"\x25" + bytes(64), b"\4" + bytes(64)])
def test_tables_that_do_not_add_up(body: bytes) -> None:
    sample = of("4.50-grey")
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        codecs.strip(insert(sample.stream, at(sample.stream, SOF), seg(0xDB, body)), sample.layout, sample.uid)


ENTROPY = ["4.50-grey", "4.50-444", "4.50-420", "4.50-restarts", "4.51-deep", "4.57-deep", "4.70-colour", "4.70-signed"]


@pytest.mark.parametrize("name", ENTROPY)
def test_behind_the_last_block(name: str) -> None:
    """Entropy-coded data that no decoder looks at: before EOI, and before a restart marker."""
    sample = of(name)
    before = codecs.decode(sample.stream, sample.layout, sample.uid)
    clean = codecs.strip(sample.stream, sample.layout, sample.uid) or sample.stream
    places = [len(clean) - 2, *(n for n in range(len(clean)) if clean[n] == 0xFF and clean[n + 1] & 0xF8 == 0xD0)]
    assert len(places) == (9 if name == "4.50-restarts" else 1)
    for place in places:
        for slack in (CANARY, b"\0", b"\xff\0", b"\x7f"):
            planted = insert(clean, place, slack)
            assert np.array_equal(codecs.decode(planted, sample.layout, sample.uid), before)
            assert codecs.strip(planted, sample.layout, sample.uid) == clean


def test_lossless_with_restart_intervals() -> None:
    """Two rows an interval: differences begin anew, and each interval is looked at."""
    frame = picture(6, 9, top=4095)
    like, uid = layout(frame, 12), "1.2.840.10008.1.2.4.70"
    rows = [codecs.encode(frame[at : at + 2], layout(frame[:2], 12), uid) for at in (0, 2, 4)]
    tables = [segment(row, DHT) for row in rows]
    assert len(tables) == 3
    # intervals of one table only: the first rows three times
    scan = segment(rows[0], SOS)
    data = rows[0][at(rows[0], SOS) + len(scan) : -2]
    frame_header = segment(rows[0], b"\xff\xc3").replace(b"\0\2\0\x09", b"\0\6\0\x09")
    stream = b"\xff\xd8" + frame_header + tables[0] + seg(0xDD, (18).to_bytes(2, "big")) + scan
    stream += data + b"\xff\xd0" + data + b"\xff\xd1" + data + b"\xff\xd9"
    assert np.array_equal(codecs.decode(stream, like, uid), np.concatenate([frame[:2]] * 3))
    assert codecs.strip(stream, like, uid) is None
    planted = stream.replace(b"\xff\xd1", CANARY + b"\xff\xd1")
    assert codecs.strip(planted, like, uid) == stream


@pytest.mark.parametrize("name", ["4.80-grey", "4.80-colour", "4.81-near"])
@pytest.mark.parametrize("slack", [CANARY, b"ab"])
def test_behind_the_last_sample_of_jpeg_ls(name: str, slack: bytes) -> None:
    sample = of(name)
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        codecs.strip(insert(sample.stream, len(sample.stream) - 2, slack), sample.layout, sample.uid)


@pytest.mark.parametrize("name", ["4.50-grey", "4.70-deep"])
def test_entropy_coded_data_that_end_too_early(name: str) -> None:
    """A decoder would go on with zeros."""
    sample = of(name)
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        codecs.strip(sample.stream[:-20] + b"\xff\xd9", sample.layout, sample.uid)


def test_a_last_restart_interval_that_is_shorter() -> None:
    """Five rows, two an interval: the third has one. Of one value, so that all parts have one table."""
    parts = []
    for rows in (2, 2, 1):
        frame = np.full((rows, 9), 700, "u2")
        parts.append(codecs.encode(frame, layout(frame, 12), "1.2.840.10008.1.2.4.70"))
    assert len({segment(part, DHT) for part in parts}) == 1
    scan = segment(parts[0], SOS)
    data = [part[at(part, SOS) + len(scan) : -2] for part in parts]
    header = segment(parts[0], b"\xff\xc3").replace(b"\0\2\0\x09", b"\0\5\0\x09") + segment(parts[0], DHT)
    stream = b"\xff\xd8" + header + seg(0xDD, (18).to_bytes(2, "big")) + scan
    stream += data[0] + b"\xff\xd0" + data[1] + b"\xff\xd1" + data[2] + b"\xff\xd9"
    frame = np.full((5, 9), 700, "u2")
    like, uid = layout(frame, 12), "1.2.840.10008.1.2.4.70"
    assert np.array_equal(codecs.decode(stream, like, uid), frame)
    assert codecs.strip(stream, like, uid) is None
    assert codecs.strip(stream[:-2] + CANARY + stream[-2:], like, uid) == stream
