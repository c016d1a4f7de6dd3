"""multipart/related (RFC 2387, RFC 2046 5.1; PS3.18 8.6.1), incremental and without I/O.

`MultipartParser` takes bytes as they come and gives events; it never holds more than one boundary of a part's body.
Bounded: header block, number of parts, preamble. The field's quirks are read: a preamble (CRLF or text), white space
after a boundary, no CRLF after (or before) the closing boundary. Anything else is a `MultipartError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

MAX_HEADER = 16 * 1024
MAX_PARTS = 10_000
#: RFC 2046 5.1.1: 1 to 70 of these, not ending in a space. Orthanc's has 73.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,199}[0-9A-Za-z'()+_,\-./:=?]")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CRLF = b"\r\n"


class MultipartError(ValueError):
    """The body is not a multipart message. The message tells of structure and numbers only."""


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part starts; header names in lower case."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some bytes of the part's body."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete."""


@dataclass(frozen=True, slots=True)
class End:
    """The closing boundary was seen; what follows is ignored."""


Event = PartBegin | PartData | PartEnd | End


class _State(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    BODY = auto()
    EPILOGUE = auto()


class MultipartParser:
    """Feed it, then `close` it: a message that stops before its closing boundary is an error, not a short one."""

    def __init__(self, boundary: str, max_header: int = MAX_HEADER, max_parts: int = MAX_PARTS) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise MultipartError("the boundary is not one (RFC 2046 5.1.1)")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._max_header, self._max_parts = max_header, max_parts
        self._parts = self._preamble = 0
        self._state = _State.PREAMBLE
        self._buffer = bytearray(_CRLF)  # so that a boundary in the first line is found like any other

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that ``data`` completes. Consume them all before the next call."""
        self._buffer += data
        progress = True
        while progress:
            if self._state is _State.HEADERS:
                event = self._read_headers()
                progress = event is not None
                if event is not None:
                    yield event
            elif self._state is _State.EPILOGUE:
                self._buffer.clear()
                progress = False
            else:
                events, progress = self._read_until_delimiter()
                yield from events

    def close(self) -> Iterator[Event]:
        """The input has ended. Raises unless the closing boundary was seen (with or without the CRLF around it)."""
        if self._state is _State.EPILOGUE:
            return
        closing = self._delimiter[2:] + b"--"
        rest = bytes(self._buffer).rstrip(_CRLF)
        if self._state is not _State.BODY or not rest.endswith(closing):
            raise MultipartError("the body ends before its closing boundary")
        self._state = _State.EPILOGUE
        yield from (PartData(rest[: -len(closing)]), PartEnd(), End())

    def _read_until_delimiter(self) -> tuple[list[Event], bool]:
        """Preamble or body: pass on what is surely before a delimiter; returns events, and whether to go on."""
        found = self._buffer.find(self._delimiter)
        if found < 0:
            # keep what may be the start of a delimiter, or the whole of a closing one that lacks its CRLF
            return self._data(len(self._buffer) - len(self._delimiter) - 4), False
        events = self._data(found)
        after = self._after_delimiter()
        if after is None:
            return events, False
        if after == "data":  # a longer line that merely starts like the delimiter
            return events + self._data(len(self._delimiter)), True
        if self._state is _State.BODY:
            events.append(PartEnd())
        if after == "close":
            self._state = _State.EPILOGUE
            return [*events, End()], True
        self._begin_part()
        return events, True

    def _data(self, count: int) -> list[Event]:
        if count <= 0:
            return []
        with memoryview(self._buffer) as view:
            data = bytes(view[:count])
        del self._buffer[:count]
        if self._state is _State.BODY:
            return [PartData(data)]
        self._preamble += count
        if self._preamble > self._max_header:
            raise MultipartError("no boundary in the first bytes of the body")
        return []

    def _after_delimiter(self) -> str | None:
        """What follows the delimiter at the buffer's start: "close", "part", "data", or None for not known yet."""
        start = len(self._delimiter)
        rest = bytes(self._buffer[start : start + 256])
        if rest[:2] == b"--":
            return "close"
        padding = len(rest) - len(rest.lstrip(b" \t"))
        line = rest[padding : padding + 2]
        if line == _CRLF:
            del self._buffer[: start + padding]  # the CRLF stays: it may be half of an empty header block
            return "part"
        return None if len(line) < 2 and padding < 200 and (_CRLF.startswith(line) or line == b"-") else "data"

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > self._max_parts:
            raise MultipartError(f"more than {self._max_parts} parts")
        self._state = _State.HEADERS

    def _read_headers(self) -> PartBegin | None:
        end = self._buffer.find(b"\r\n\r\n")
        if (end if end >= 0 else len(self._buffer)) > self._max_header:
            raise MultipartError(f"part headers of more than {self._max_header} bytes")
        if end < 0:
            return None
        block = bytes(self._buffer[2:end])
        del self._buffer[: end + 4]
        self._state = _State.BODY
        return PartBegin(_parse_headers(block))


def _parse_headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in block.split(_CRLF) if block else []:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise MultipartError("a part header is not 'name: value'")
        key = name.decode("ascii").lower()
        if key in headers:
            raise MultipartError("a part header is repeated")
        headers[key] = value.strip(b" \t").decode("latin-1")
    return headers


def part_head(boundary: str, content_type: str, location: str = "") -> bytes:
    """What stands before a part's body: delimiter line and headers (RFC 2046 5.1.1)."""
    lines = [f"--{boundary}", f"Content-Type: {content_type}", *([f"Content-Location: {location}"] if location else [])]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header value may not hold a line break")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def part_tail() -> bytes:
    """What stands after a part's body."""
    return _CRLF


def closing(boundary: str) -> bytes:
    """What ends the message."""
    return f"--{boundary}--\r\n".encode("latin-1")
