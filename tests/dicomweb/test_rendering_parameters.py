from __future__ import annotations

from collections.abc import Callable

import pytest
from multidict import MultiDict

from proxy.deid.pixels.display import Window
from proxy.deid.pixels.rendering import Rendering, Viewport
from proxy.dicomweb.rendering_parameters import Asked, by_uri, rendered, thumbnail
from proxy.wire.uri import UriError


def asked(read: Callable[[MultiDict[str]], Asked], **query: str) -> Rendering:
    found = read(MultiDict(query))
    assert found.ignored == ()
    return found.rendering


def test_nothing_said() -> None:
    assert asked(rendered) == asked(rendered, iccprofile="no", unknown="x") == Rendering()
    assert asked(by_uri) == Rendering()
    assert asked(thumbnail) == Rendering(viewport=Viewport(128, 128))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100,200", Viewport(100, 200)),
        ("100,200,1.5,2,30,40", Viewport(100, 200, 1.5, 2, 30, 40)),
        ("100,200,,,-30,40", Viewport(100, 200, 0, 0, -30, 40)),
        ("100,200,5", Viewport(100, 200, 5)),
        ("8192,1,,7", Viewport(8192, 1, 0, 7)),
    ],
)
def test_viewports(text: str, expected: Viewport) -> None:
    assert asked(rendered, viewport=text).viewport == expected


@pytest.mark.parametrize(
    "text",
    ["", "100", "0,100", "100,-1", "8193,1", "1e3,5", "100,200,1,2,3,4,5", "100,200,-1", "100,200,x", "100,200,0,0,0,5",
     "100,200,,,1e400", "100,200,,,nan", "100,200,,,3,0", "²,5"],
)  # fmt: skip
def test_viewports_that_are_none(text: str) -> None:
    with pytest.raises(UriError):
        rendered(MultiDict(viewport=text))


def test_windows_quality_and_annotations() -> None:
    assert asked(rendered, window="40,400,linear").window == Window(40, 400, "LINEAR")
    assert asked(rendered, window="-0.5,0.25,linear-exact").window == Window(-0.5, 0.25, "LINEAR_EXACT")
    assert asked(rendered, window="1,.5,sigmoid").window == Window(1, 0.5, "SIGMOID")
    assert asked(rendered, quality="100").quality == 100
    assert asked(rendered, annotation="technique,patient").annotations == ("patient", "technique")


@pytest.mark.parametrize(
    "query",
    [{"window": "40,400"}, {"window": "40,400,LINEAR"}, {"window": "40,0,sigmoid"}, {"window": "40,-1,linear"},
     {"window": "40,.5,linear"}, {"window": "a,1,linear"}, {"window": ",1,linear"}, {"quality": "0"},
     {"quality": "101"}, {"quality": "9.5"}, {"annotation": ""}, {"annotation": "patient,"}, {"annotation": "p t"},
     {"iccprofile": "cmyk"}],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_read(query: dict[str, str]) -> None:
    with pytest.raises(UriError):
        rendered(MultiDict(query))


def test_twice_is_once_too_often() -> None:
    with pytest.raises(UriError):
        rendered(MultiDict([("quality", "5"), ("quality", "6")]))


def test_what_is_not_obeyed_is_told() -> None:
    assert rendered(MultiDict(annotation="patient,logo", iccprofile="srgb")).ignored == ("annotation", "iccprofile")
    assert rendered(MultiDict(annotation="patient,logo")).rendering.annotations == ("patient",)


def test_a_thumbnail_has_a_size_and_no_name() -> None:
    assert asked(thumbnail, viewport="64,32", annotation="patient", window="1,2,linear") == Rendering(
        viewport=Viewport(64, 32)
    )
    with pytest.raises(UriError):
        thumbnail(MultiDict(viewport="64,32,1,1,1,1"))


def test_by_uri() -> None:
    found = asked(
        by_uri, rows="100", columns="200", region="0.25,0,0.75,1", windowCenter="40", windowWidth="400",
        frameNumber="3", imageQuality="50", annotation="patient",
    )  # fmt: skip
    view = Viewport(200, 100, 0.25, 0, 0.5, 1, shares=True)
    assert found == Rendering(frame=3, viewport=view, window=Window(40, 400), quality=50, annotations=("patient",))
    assert asked(by_uri, rows="100").viewport == Viewport(0, 100)


@pytest.mark.parametrize(
    "query",
    [{"windowCenter": "40"}, {"windowWidth": "40"}, {"rows": "0"}, {"region": "0,0,1"}, {"region": "0,0,1,1.5"},
     {"region": "0.5,0,0.5,1"}, {"frameNumber": "0"}, {"frameNumber": "x"}, {"imageQuality": "0"}],
    ids=str,
)  # fmt: skip
def test_by_uri_what_cannot_be_read(query: dict[str, str]) -> None:
    with pytest.raises(UriError):
        by_uri(MultiDict(query))
