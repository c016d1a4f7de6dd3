"""Pictures of whole instances: which frame, how large, which part, with which words, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from proxy.deid.pixels.rendering import MEDIA, Rendered, Rendering, Viewport
from proxy.deid.pixels.rendering_file import render
from proxy.deid.pixels.rendering_picture import OutsideImage, drawn, warm
from proxy.deid.pixels.rendering_words import KINDS, lines_of, milliseconds_of
from proxy.errors import InstanceHeld, Reason
from tests.deid.pixels.headers import dataset, policy, read
from tests.deid.pixels.matrix import EXPLICIT, encoded

#: 4 rows of 6 columns, each pixel another grey
GREYS = (np.arange(24, dtype=np.uint8) * 10).reshape(4, 6)


def of(wanted: Rendering, **attributes: Any) -> Rendered:
    return render(memoryview(encoded(dataset(**attributes), EXPLICIT)), policy(), wanted)


def bundled(name: str, wanted: Rendering) -> Rendered:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return render(memoryview(Path(path).read_bytes()), policy(), wanted)


def opened(found: Rendered) -> Image.Image:
    return Image.open(io.BytesIO(found.data))


def through(viewport: Viewport, light: NDArray[np.uint8] = GREYS) -> NDArray[np.uint8]:
    return drawn(light, viewport, {})


@pytest.mark.parametrize("media", MEDIA)
def test_each_media_type(media: str) -> None:
    picture = opened(of(Rendering(media), PixelData=GREYS.tobytes()))
    assert Image.MIME[str(picture.format)] == media
    difference = np.abs(np.asarray(picture.convert("L")).astype(int) - GREYS)
    assert difference.max() <= (12 if media == "image/jpeg" else 0)


def test_quality_is_for_jpeg() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64), dtype=np.uint8)
    said = {"Rows": 64, "Columns": 64, "PixelData": noise.tobytes()}
    poor, good = (len(of(Rendering(quality=quality), **said).data) for quality in (10, 95))
    assert poor < good / 2
    assert of(Rendering("image/png", quality=10), **said) == of(Rendering("image/png", quality=95), **said)


def test_frames_by_number_the_middle_and_beyond() -> None:
    frames = np.repeat(np.array([[10], [20], [30]], np.uint8), 24, axis=1)
    said = {"NumberOfFrames": 3, "PixelData": frames.tobytes(), "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"}
    for asked, shown in ((1, 10), (2, 20), (3, 30), (0, 20)):
        found = of(Rendering("image/png", asked), **said)
        assert (found.frames, found.uids, found.missing) == (3, ("1.2", "1.3", "1.2.3.4"), "")
        assert opened(found).getextrema() == (shown, shown)
    assert of(Rendering("image/png", 4), **said) == Rendered(3, ("1.2", "1.3", "1.2.3.4"), b"", "frame")


def test_a_loop_is_a_picture_that_moves() -> None:
    picture = opened(bundled("examples_ybr_color.dcm", Rendering("image/gif", whole=True, viewport=Viewport(64, 64))))
    assert picture.size == (64, 48)
    assert 20 < getattr(picture, "n_frames", 1) <= 30  # equal neighbours are one, shown longer
    assert "loop" in picture.info
    assert getattr(opened(bundled("examples_ybr_color.dcm", Rendering("image/gif"))), "n_frames", 1) == 1
    with pytest.raises(InstanceHeld, match="too much"):
        bundled("color3d_jpeg_baseline.dcm", Rendering("image/gif", whole=True, viewport=Viewport(1500, 1500)))


def test_as_large_as_the_viewport_lets_it_be() -> None:
    assert through(Viewport(600, 600)).shape == (400, 600)
    assert through(Viewport(600, 40)).shape == (40, 60)
    assert through(Viewport(3, 3)).shape == (2, 3)
    assert through(Viewport(1, 1)).shape == (1, 1)
    assert through(Viewport(60)).shape == (40, 60)
    assert through(Viewport(0, 40)).shape == (40, 60)
    assert np.array_equal(through(Viewport(6, 4)), GREYS)
    assert through(Viewport(12, 12), np.zeros((4, 6, 3), np.uint8)).shape == (8, 12, 3)


def test_a_region_and_its_mirror() -> None:
    part = GREYS[1:3, 2:5]
    assert np.array_equal(through(Viewport(3, 2, 2, 1, 3, 2)), part)
    assert np.array_equal(through(Viewport(3, 2, 2, 1, -3, 2)), part[:, ::-1])
    assert np.array_equal(through(Viewport(3, 2, 2, 1, -3, -2)), part[::-1, ::-1])
    assert np.array_equal(through(Viewport(4, 3, 2, 1)), GREYS[1:, 2:])
    assert np.array_equal(through(Viewport(0, 0, 1 / 3, 0.25, 0.5, 0.5, shares=True)), part)
    assert np.array_equal(through(Viewport(0, 0, 4, 2, 100, 100)), GREYS[2:, 4:])
    for outside in (Viewport(3, 3, 6, 0, 2, 2), Viewport(3, 3, -5, 0, 5, 2)):
        with pytest.raises(OutsideImage):
            through(outside)
    assert of(Rendering(viewport=Viewport(9, 9, 60, 0)), PixelData=GREYS.tobytes()).missing == "region"


def words(**attributes: Any) -> dict[str, tuple[str, ...]]:
    return lines_of(read(dataset(**attributes)).root, tuple(KINDS), 4, 20)


def test_what_is_written_comes_from_the_data_set() -> None:
    found = words(
        PatientName="PX^7",
        PatientID="K7QX",
        PatientSex="F",
        Modality="CT",
        SeriesNumber=3,
        KVP="120",
        NumberOfFrames=20,
    )
    assert found == {"patient": ("PX 7", "ID K7QX", "F"), "technique": ("CT series 3", "120 kV", "frame 5 of 20")}
    assert words(PatientID="a\tb" * 3)["patient"] == ("ID a ba ba b",)
    assert lines_of(read(dataset(PatientID="K7QX")).root, (), 0, 1) == {}


def test_words_are_where_they_belong() -> None:
    said = {"Rows": 200, "Columns": 300, "PixelData": bytes(60000), "PatientID": "K7QX", "Modality": "CT"}

    def lit(*annotations: str) -> tuple[bool, bool]:
        picture = np.asarray(opened(of(Rendering("image/png", annotations=annotations), **said)))
        return bool(picture[:40].any()), bool(picture[-40:].any())

    assert [lit(), lit("patient"), lit("technique"), lit("patient", "technique")] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, 100),
        ({"FrameTime": "40"}, 40),
        ({"CineRate": "25"}, 40),
        ({"RecommendedDisplayFrameRate": "10", "CineRate": "25"}, 100),
        ({"FrameTime": "0.001"}, 20),
        ({"FrameTime": "-3", "CineRate": "0"}, 100),
    ],
)
def test_the_pace_of_a_loop(said: dict[str, Any], expected: int) -> None:
    assert milliseconds_of(read(dataset(**said)).root) == expected


def test_what_is_no_picture_and_what_is_broken() -> None:
    with pytest.raises(InstanceHeld) as held:
        bundled("reportsi.dcm", Rendering())
    assert held.value.reason is Reason.UNSUPPORTED_CONTENT
    damaged = dataset(PixelData=encapsulate([b"\xff\xd8no jpeg\xff\xd9"]))
    damaged["PixelData"].VR, damaged["PixelData"].is_undefined_length = "OB", True
    with pytest.raises(InstanceHeld) as held:
        render(memoryview(_as_jpeg(damaged)), policy(), Rendering())
    assert held.value.reason is Reason.PIXELS_UNREADABLE
    with pytest.raises(InstanceHeld) as held:
        of(Rendering(), PixelData=bytes(10))
    assert held.value.reason is Reason.PIXELS_UNREADABLE


def _as_jpeg(ds: Dataset) -> bytes:
    file = io.BytesIO()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_warming_leaves_nothing_to_load() -> None:
    warm()
    assert {"JPEG", "PNG", "GIF"} <= set(Image.SAVE)
