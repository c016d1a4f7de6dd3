from __future__ import annotations

import pytest

from proxy.wire.media import (
    DICOM,
    DICOM_JSON,
    JSON,
    OCTETS,
    RELATED,
    MediaTypeError,
    Offer,
    negotiate,
    parse_accept,
    parse_media_type,
)

MULTI = Offer(RELATED, DICOM)
SINGLE = Offer(DICOM)
RESULTS = (Offer(DICOM_JSON), Offer(JSON))


@pytest.mark.parametrize(
    ("text", "root", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary=abc', DICOM, "abc"),
        ("multipart/related; type=application/dicom; boundary=abc", DICOM, "abc"),
        ('Multipart/Related;boundary="a;b,c";type="Application/DICOM"', DICOM, "a;b,c"),
        ("multipart/related; boundary=x; type=application/dicom+json;", "application/dicom+json", "x"),
        ('multipart/related; boundary="a\\"b"', "", 'a"b'),
    ],
)
def test_content_type_with_and_without_quotes(text: str, root: str, boundary: str) -> None:
    media = parse_media_type(text)
    assert (media.essence, media.root, media.parameters["boundary"]) == (RELATED, root, boundary)


@pytest.mark.parametrize("text", ["", "multipart", "a/b c", "a/b, c/d", "/b", "a/b; ü=1"])
def test_what_is_no_media_type(text: str) -> None:
    with pytest.raises(MediaTypeError):
        parse_media_type(text)


@pytest.mark.parametrize("text", ["a", "a/b; q=high", "a/b c/d", ", ".join(["a/b"] * 65)])
def test_what_is_no_accept(text: str) -> None:
    with pytest.raises(MediaTypeError):
        parse_accept(text)


@pytest.mark.parametrize(
    ("accept", "chosen", "syntaxes"),
    [
        ([], MULTI, None),
        (["*/*"], MULTI, None),
        (["multipart/*"], MULTI, None),
        (['multipart/related; type="application/dicom"'], MULTI, None),
        (["multipart/related; type=application/dicom; transfer-syntax=*"], MULTI, None),
        (['multipart/related; type="application/dicom; transfer-syntax=1.2.3"'], MULTI, {"1.2.3"}),
        (['multipart/related; type="application/dicom"; transfer-syntax=1.2.3; boundary=x'], MULTI, {"1.2.3"}),
        (
            [f'{RELATED};type="{DICOM}";transfer-syntax=1.2', f'{RELATED};type="{DICOM}";transfer-syntax=1.3;q=0.2'],
            MULTI,
            {"1.2", "1.3"},
        ),
        ([DICOM], SINGLE, None),
        ([f"{DICOM};q=0.9, multipart/related;q=0.1"], SINGLE, None),
        ([f"{DICOM}, multipart/related;q=0"], SINGLE, None),
        (["text/html, application/xhtml+xml, */*;q=0.8"], MULTI, None),
        (["multipart/related; type=image/jpeg, */*; q=0.1"], MULTI, None),
        (["application/*"], SINGLE, None),
    ],
)  # fmt: skip
def test_retrieve_negotiation(accept: list[str], chosen: Offer, syntaxes: set[str] | None) -> None:
    choice = negotiate(accept, None, (MULTI, SINGLE))
    assert choice is not None
    assert choice.offer == chosen
    assert choice.syntaxes == (frozenset(syntaxes) if syntaxes else None)


@pytest.mark.parametrize(
    "accept", ["image/jpeg", 'multipart/related; type="application/octet-stream"', "*/*;q=0", "text/*"]
)
def test_not_acceptable(accept: str) -> None:
    assert negotiate([accept], None, (MULTI, SINGLE)) is None


@pytest.mark.parametrize(
    "accept",
    [
        DICOM_JSON,
        f"{DICOM_JSON}, {JSON}",
        f"{DICOM_JSON}, multipart/related; type={OCTETS}; transfer-syntax=*",
        f"multipart/related; type=application/dicom+xml, {DICOM_JSON};q=0.5",
    ],
)
def test_search_accepts_seen_in_the_field(accept: str) -> None:
    choice = negotiate([accept], None, RESULTS)
    assert choice is not None
    assert choice.offer.essence == DICOM_JSON


def test_the_accept_parameter_outranks_the_header_and_is_ignored_when_unsupported() -> None:
    first = negotiate([DICOM], 'multipart/related; type="application/dicom"', (MULTI, SINGLE))
    assert first is not None
    assert first.offer == MULTI
    second = negotiate([DICOM], "image/jpeg", (MULTI, SINGLE))
    assert second is not None
    assert second.offer == SINGLE
