"""The end of the packets of JPEG 2000 tiles, however they are ordered; what stands behind it is gone."""

from __future__ import annotations

import io
import random
from contextlib import suppress
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from proxy.deid.pixels import codecs
from proxy.deid.pixels.j2k_markers import take_apart
from proxy.deid.pixels.j2k_packets import slack
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.code_streams import Frame, Sample, layout, picture
from tests.deid.pixels.test_j2k_markers import COD, SOD, SOT, tile_part
from tests.deid.pixels.test_j2k_strip import J2KS, in_tile
from tests.deid.pixels.test_jpeg_markers import at, insert, put
from tests.deid.pixels.test_jpeg_strip import CANARY, seg

ORDERS = ("LRCP", "RLCP", "RPCL", "PCRL", "CPRL")
UID = "1.2.840.10008.1.2.4.91"


def by_pillow(frame: Frame, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(frame).save(out, "JPEG2000", no_jp2=True, **options)
    return out.getvalue()


def some_options(rnd: random.Random) -> dict[str, Any]:
    """Layers, tiles, code-blocks, precincts, offsets, packet lengths."""
    options: dict[str, Any] = {"irreversible": rnd.random() < 0.5, "num_resolutions": rnd.randint(1, 4)}
    if rnd.random() < 0.5:
        options |= {"quality_mode": "rates", "quality_layers": sorted(rnd.sample((80, 20, 5, 1), 3), reverse=True)}
    if rnd.random() < 0.5:
        options["tile_size"] = rnd.choice(((64, 64), (100, 64), (64, 90)))
    if rnd.random() < 0.6:
        options |= {"codeblock_size": rnd.choice(((4, 4), (16, 16), (16, 64))), "precinct_size": (64, 128)}
    if rnd.random() < 0.5:
        options["offset"] = (rnd.randint(0, 30), rnd.randint(0, 30))
    return options | {"plt": rnd.random() < 0.3}


def ends(stream: bytes) -> dict[int, int]:
    return slack(stream, take_apart(stream, 0, len(stream)))


@pytest.mark.parametrize("order", ORDERS)
def test_every_order(order: str) -> None:
    """OpenJPEG writes no byte too many: the end that is found is the end of the data, and moves with what is added."""
    rnd = random.Random(order)
    for _ in range(12):
        shape = rnd.choice(((37, 41), (130, 200), (90, 120, 3)))
        frame = picture(*shape[:2], samples=3 if len(shape) == 3 else 1)
        options = some_options(rnd)
        try:
            stream = by_pillow(frame, progression=order, **options)
        except OSError:  # more resolutions than its tiles can have
            continue
        assert ends(stream) == {}, options
        tile = len(tile_part(stream))
        longer = put(insert(stream, at(stream, SOT) + tile, CANARY), at(stream, SOT, 6), (tile + 12).to_bytes(4, "big"))
        assert list(ends(longer).values()) == [12], options


@pytest.mark.parametrize("tiles", [{}, {"tile": (64, 64)}, {"tile": (100, 70), "tilepart": 3, "tlm": True}])
@pytest.mark.parametrize("reversible", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (200, 130), (90, 120, 3)])
def test_high_throughput(shape: tuple[int, ...], reversible: bool, tiles: dict[str, Any]) -> None:
    frame = picture(*shape[:2], samples=3 if len(shape) == 3 else 1)
    assert ends(imagecodecs.htj2k_encode(frame, planar=False, reversible=reversible, **tiles)) == {}


@pytest.mark.parametrize("sample", [s for s in J2KS if "4.202" not in s.name], ids=lambda sample: sample.name)
def test_behind_the_last_packet(sample: Sample) -> None:
    """The tile-part says that it is longer, so no decoder sees anything wrong."""
    clean = codecs.strip(sample.stream, sample.layout, sample.uid) or sample.stream
    length = len(tile_part(clean))
    for slack_bytes in (CANARY, b"\0"):
        planted = put(clean, at(clean, SOT, 6), (length + len(slack_bytes)).to_bytes(4, "big"))
        planted = insert(planted, at(planted, SOT) + length, slack_bytes)
        assert codecs.strip(planted, sample.layout, sample.uid) == clean


def test_behind_the_last_packet_of_a_tile_in_parts() -> None:
    """The data of a tile's parts are one: only its last part can hold something behind the packets."""
    frame = picture(40, 36, top=4095)
    like, uid = layout(frame, 12), "1.2.840.10008.1.2.4.202"
    clean = codecs.encode(frame, like, uid)
    last = clean.rindex(SOT)
    length = int.from_bytes(clean[last + 6 : last + 10], "big")
    planted = put(clean, last + 6, (length + 12).to_bytes(4, "big"))[:-2] + CANARY + clean[-2:]
    assert np.array_equal(codecs.decode(planted, like, uid), frame)
    assert codecs.strip(planted, like, uid) == clean


def test_packet_lengths_that_account_for_slack() -> None:
    """PLT counts the hidden bytes as a packet: it goes with them."""
    frame = picture(40, 36)
    like = layout(frame)
    clean = by_pillow(frame, plt=True, num_resolutions=2)
    clean = codecs.strip(clean, like, UID) or clean
    assert b"\xff\x58" in clean[: at(clean, SOD)]
    plt = at(clean, b"\xff\x58")
    size = int.from_bytes(clean[plt + 2 : plt + 4], "big")
    longer = put(insert(clean, plt + 2 + size, b"\x0c"), plt + 2, (size + 1).to_bytes(2, "big"))
    planted = put(
        longer[:-2] + CANARY + longer[-2:], at(clean, SOT, 6), (len(tile_part(clean)) + 13).to_bytes(4, "big")
    )
    stripped = codecs.strip(planted, like, UID)
    assert stripped is not None
    assert CANARY not in stripped
    assert b"\xff\x58" not in stripped[: at(stripped, SOD)]
    assert np.array_equal(codecs.decode(stripped, like, UID), codecs.decode(clean, like, UID))


def decodes_to(stream: bytes, frame: Frame) -> bool:
    try:
        return np.array_equal(imagecodecs.jpeg2k_decode(stream), frame)
    except imagecodecs.Jpeg2kError:
        return False


def test_markers_around_packets() -> None:
    """SOP before a packet, EPH behind its header (T.800 A.8): one packet, so that both can be put in by hand."""
    frame = picture(24, 24)
    like = layout(frame)
    stream = by_pillow(frame, num_resolutions=1)
    stream = codecs.strip(stream, like, UID) or stream
    begin = at(stream, SOD, 2)
    marked = put(insert(stream, begin, b"\xff\x91\0\4\0\0"), at(stream, COD, 4), b"\x02")
    marked = put(marked, at(marked, SOT, 6), (len(tile_part(stream)) + 6).to_bytes(4, "big"))
    assert ends(marked) == {}
    assert np.array_equal(codecs.decode(marked, like, UID), frame)
    for where in range(begin, begin + 40):
        tried = put(insert(stream, where, b"\xff\x92"), at(stream, COD, 4), b"\x04")
        tried = put(tried, at(tried, SOT, 6), (len(tile_part(stream)) + 2).to_bytes(4, "big"))
        if decodes_to(tried, frame):
            assert ends(tried) == {}
            break
    else:
        pytest.fail("EPH fits nowhere")


@pytest.mark.parametrize("marker", [0x5F, 0x60, 0x61])
def test_what_is_not_followed(marker: int) -> None:
    """POC, PPM, PPT: packets in another order, headers in another place."""
    stream = by_pillow(picture(24, 24), num_resolutions=1)
    planted = (
        in_tile(stream, seg(marker, bytes(9)))
        if marker == 0x61
        else insert(stream, at(stream, COD), seg(marker, bytes(9)))
    )
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        ends(planted)


@pytest.mark.parametrize("in_a_tile", [False, True])
def test_styles_of_components(in_a_tile: bool) -> None:
    """COC over COD (T.800 A.6.2), for its component only: COD says code-blocks of another size."""
    stream = by_pillow(picture(60, 70, 3), codeblock_size=(16, 16), mct=0, num_resolutions=3)
    style = at(stream, COD)
    wrong = put(stream, style + 10, b"\4\4")
    coc = [seg(0x53, bytes((component, 0)) + stream[style + 9 : style + 14]) for component in range(3)]
    planted, fewer = (
        in_tile(wrong, new) if in_a_tile else insert(wrong, at(wrong, b"\xff\x5c"), new)
        for new in (b"".join(coc), b"".join(coc[:2]))
    )
    assert ends(planted) == {}
    assert np.array_equal(imagecodecs.jpeg2k_decode(planted), imagecodecs.jpeg2k_decode(stream))
    with suppress(InstanceHeld):
        assert ends(fewer) != {}, "the third component is as COD says"


def test_packets_that_are_not_all_there() -> None:
    stream = by_pillow(picture(60, 60))
    for cut in (1, 40, len(tile_part(stream)) - 15):
        short = put(
            stream[: -2 - cut] + stream[-2:], at(stream, SOT, 6), (len(tile_part(stream)) - cut).to_bytes(4, "big")
        )
        with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
            ends(short)


def test_layouts_beyond_all_bounds() -> None:
    """65535 layers, precincts of one sample: refused before tables are made for them."""
    stream = by_pillow(np.zeros((60, 60), np.uint8))
    many = put(stream, at(stream, COD, 6), b"\xff\xff")
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        ends(many)
    none = put(stream, at(stream, COD, 6), b"\0\0")
    with pytest.raises(InstanceHeld, match=Reason.PIXELS_UNREADABLE):
        ends(none)
    style = at(stream, COD)
    length = int.from_bytes(stream[style + 2 : style + 4], "big")
    levels = stream[style + 9]
    tiny = put(stream, style + 4, b"\x01")
    tiny = put(tiny, style + 2, (length + levels + 1).to_bytes(2, "big"))
    for size, why in ((b"\x11", "than"), (b"\x00", "of a size that there is not")):
        with pytest.raises(InstanceHeld, match=why):
            ends(insert(tiny, style + 2 + length, size * (levels + 1)))
    with pytest.raises(InstanceHeld, match="code-blocks of JPEG 2000 of a size"):
        ends(put(stream, style + 10, b"\x09"))
