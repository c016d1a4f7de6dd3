from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.multipart import (
    End,
    MultipartError,
    MultipartParser,
    PartBegin,
    PartData,
    PartEnd,
    closing,
    part_head,
    part_tail,
)

B = "xYz"


def parse(body: bytes, boundary: str = B, step: int = 0, **limits: int) -> list[tuple[dict[str, str], bytes]]:
    """Whole parts; ``step`` bytes at a time (0: at once)."""
    parser = MultipartParser(boundary, **limits)
    pieces = [body] if not step else [body[i : i + step] for i in range(0, len(body), step)]
    parts: list[tuple[dict[str, str], bytearray]] = []
    state = "out"
    for events in [*(parser.feed(p) for p in pieces), parser.close()]:
        for event in events:
            if isinstance(event, PartBegin):
                assert state == "out"
                state = "in"
                parts.append((dict(event.headers), bytearray()))
            elif isinstance(event, PartData):
                assert state == "in"
                parts[-1][1].extend(event.data)
            elif isinstance(event, PartEnd):
                assert state == "in"
                state = "out"
            else:
                assert isinstance(event, End)
                state = "end"
    assert state == "end"
    return [(headers, bytes(data)) for headers, data in parts]


def message(*bodies: bytes) -> bytes:
    return b"".join(part_head(B, "application/dicom") + b + part_tail() for b in bodies) + closing(B)


@given(bodies=st.lists(st.binary(max_size=200), max_size=4), step=st.integers(1, 50))
def test_what_is_written_is_read_whatever_the_chunks(bodies: list[bytes], step: int) -> None:
    bodies = [b for b in bodies if b"--xYz" not in b]
    assert [data for _, data in parse(message(*bodies), step=step)] == bodies


@settings(max_examples=300)
@given(text=st.lists(st.sampled_from([b"\r\n", b"--xYz", b"--", b"-", b"\r", b"\n", b"a: b", b" ", b"x", b"\r\n\r\n"])))
def test_chunking_never_changes_the_meaning(text: list[bytes]) -> None:
    body = b"".join(text)
    results = []
    for step in (0, 1, 3):
        try:
            results.append(parse(body, step=step))
        except MultipartError:
            results.append([])
    assert results[0] == results[1] == results[2]


GOOD = {
    "plain": (b"--xYz\r\nContent-Type: a/b\r\n\r\nDATA\r\n--xYz--\r\n", [({"content-type": "a/b"}, b"DATA")]),
    "preamble CRLF": (b"\r\n--xYz\r\n\r\nDATA\r\n--xYz--\r\n", [({}, b"DATA")]),
    "preamble text": (b"This is MIME\r\n--xYz\r\n\r\nDATA\r\n--xYz--", [({}, b"DATA")]),
    "no last CRLF": (b"--xYz\r\nA: 1\r\n\r\nDATA\r\n--xYz--", [({"a": "1"}, b"DATA")]),
    "no CRLF before the closing boundary": (b"--xYz\r\n\r\nDATA--xYz--", [({}, b"DATA")]),
    "white space after the boundary": (b"--xYz \t\r\n\r\nDATA\r\n--xYz--  \r\n", [({}, b"DATA")]),
    "epilogue": (b"--xYz\r\n\r\nDATA\r\n--xYz--\r\nignored --xYz\r\n\r\n", [({}, b"DATA")]),
    "empty part": (b"--xYz\r\nA: 1\r\n\r\n\r\n--xYz--", [({"a": "1"}, b"")]),
    "looks like a boundary": (b"--xYz\r\n\r\nA\r\n--xYzz\r\n--xY\r\n--xYz--", [({}, b"A\r\n--xYzz\r\n--xY")]),
    "CRLFs in the data": (b"--xYz\r\n\r\n\r\n\r\n\r\n--xYz--", [({}, b"\r\n\r\n")]),
    "no parts": (b"--xYz--\r\n", []),
}


@pytest.mark.parametrize("step", [0, 1, 2, 7])
@pytest.mark.parametrize("name", GOOD)
def test_quirks_are_read(name: str, step: int) -> None:
    body, expected = GOOD[name]
    assert parse(body, step=step) == expected


BAD = {
    "empty": b"",
    "no boundary": b"hello",
    "other boundary": b"--abc\r\n\r\nDATA\r\n--abc--",
    "no closing boundary": b"--xYz\r\n\r\nDATA",
    "stops inside the headers": b"--xYz\r\nContent-Type: a/b\r\n",
    "stops inside the boundary": b"--xYz\r\n\r\nDATA\r\n--xYz-",
    "next part never comes": b"--xYz\r\n\r\nDATA\r\n--xYz\r\n",
    "header without a colon": b"--xYz\r\nContent-Type\r\n\r\nDATA\r\n--xYz--",
    "header folded": b"--xYz\r\nA: b\r\n c\r\n\r\nDATA\r\n--xYz--",
    "header repeated": b"--xYz\r\nContent-Type: a/b\r\ncontent-type: c/d\r\n\r\nDATA\r\n--xYz--",
    "header with a space in its name": b"--xYz\r\nA b: c\r\n\r\nDATA\r\n--xYz--",
    "line feeds only": b"--xYz\n\nDATA\n--xYz--\n",
}


@pytest.mark.parametrize("step", [0, 1, 5])
@pytest.mark.parametrize("name", BAD)
def test_broken_messages_are_refused(name: str, step: int) -> None:
    with pytest.raises(MultipartError):
        parse(BAD[name], step=step)


@pytest.mark.parametrize("boundary", ["", "a" * 201, "a\r\nb", "ends ", 'qu"ote', "ü"])
def test_a_bad_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(MultipartError):
        MultipartParser(boundary)


def test_the_boundary_of_orthanc_is_longer_than_allowed() -> None:
    boundary = "497c7cca-e321-41fa-a9fc-fc355fc2043d-497c7cca-e321-41fa-a9fc-fc355fc2043d"
    body = f"--{boundary}\r\nContent-Length: 4\r\n\r\nDATA\r\n--{boundary}--\r\n".encode()
    assert parse(body, boundary) == [({"content-length": "4"}, b"DATA")]


def test_header_block_is_bounded() -> None:
    with pytest.raises(MultipartError, match="headers"):
        parse(b"--xYz\r\nA: " + b"b" * 2000 + b"\r\n\r\nD\r\n--xYz--", max_header=1000)
    with pytest.raises(MultipartError, match="headers"):
        parse(b"--xYz\r\nA: " + b"b" * 200_000, step=1000)


def test_preamble_is_bounded() -> None:
    with pytest.raises(MultipartError, match="no boundary"):
        parse(b"x" * 100_000, step=1000)


def test_number_of_parts_is_bounded() -> None:
    assert len(parse(message(*[b"a"] * 5), max_parts=5)) == 5
    with pytest.raises(MultipartError, match="5 parts"):
        parse(message(*[b"a"] * 6), max_parts=5)


def test_a_body_is_passed_on_not_held() -> None:
    parser = MultipartParser(B)
    list(parser.feed(b"--xYz\r\n\r\n"))
    block = b"\r\n-" * 20_000
    tracemalloc.start()
    try:
        for _ in range(200):
            for _event in parser.feed(block):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(block)


def test_a_line_break_cannot_enter_a_part_header() -> None:
    with pytest.raises(ValueError, match="line break"):
        part_head(B, "a/b\r\nX: y")
