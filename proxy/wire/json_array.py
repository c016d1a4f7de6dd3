"""A JSON array of objects, read as it comes (RFC 8259; PS3.18 F.2): one object in memory, whatever the array's length.

The array is cut where the standard library's decoder says that an object ends. Bounded by the length of one object.
Pure: no I/O, and messages that quote nothing.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

MAX_OBJECT = 64 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_BEGIN, _FIRST, _NEXT, _AFTER, _OVER = range(5)
#: what may stand in each state, and the state after it; an object leads to `_AFTER`
_MARKS = {_BEGIN: {"[": _FIRST}, _FIRST: {"]": _OVER}, _NEXT: {}, _AFTER: {",": _NEXT, "]": _OVER}, _OVER: {}}


class JsonArrayError(ValueError):
    """What was read is not an array of objects."""


class JsonArrayReader:
    """Feed it, then `close` it: an array that stops before its bracket is an error, not a short one."""

    def __init__(self, most: int = MAX_OBJECT) -> None:
        """``most``: characters of the longest object."""
        self._most, self._enough = most, 0
        self._bytes = codecs.getincrementaldecoder("utf-8-sig")()
        self._decoder = json.JSONDecoder()
        self._text, self._at = "", 0
        self._state = _BEGIN

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The objects that ``data`` completes. Consume them all before the next call."""
        try:
            self._text = self._text[self._at :] + self._bytes.decode(data)
        except UnicodeDecodeError:
            raise JsonArrayError("not UTF-8") from None
        self._at = 0
        yield from self._objects()

    def close(self) -> Iterator[dict[str, Any]]:
        """The input has ended: the objects that waited for more of it."""
        self._enough = 0
        yield from self._objects()
        if self._state != _OVER:
            raise JsonArrayError("the array ends before its bracket")

    def _objects(self) -> Iterator[dict[str, Any]]:
        while (item := self._step()) is not None:
            if item:
                yield item[0]

    def _step(self) -> tuple[dict[str, Any], ...] | None:
        """The next object, () for a mark between objects, None when more input is needed."""
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # matches the empty string
        if self._at >= len(self._text):
            return None
        mark = self._text[self._at]
        if mark in _MARKS[self._state]:
            self._state = _MARKS[self._state][mark]
            self._at += 1
            return ()
        if mark != "{" or self._state not in (_FIRST, _NEXT):
            raise JsonArrayError("not an array of objects")
        return self._object()

    def _object(self) -> tuple[dict[str, Any], ...] | None:
        length = len(self._text) - self._at
        if length < self._enough:
            return None
        try:
            value, self._at = self._decoder.raw_decode(self._text, self._at)
        except json.JSONDecodeError:  # not complete, as far as anybody can tell yet
            if length > self._most:
                raise JsonArrayError("an object that is too long, or none") from None
            self._enough = min(2 * length, self._most)
            return None
        except RecursionError:
            raise JsonArrayError("nested too deeply") from None
        self._enough, self._state = 0, _AFTER
        return (value,)
