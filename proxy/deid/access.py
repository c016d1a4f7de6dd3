"""Reads single elements of a `Level`: text, UIDs, the character set in force. Values stay bytes until somebody needs
their meaning. Pure.
"""

from __future__ import annotations

import re

from proxy.deid.level import Level
from proxy.deid.values import DEFAULT, Charset, declared
from proxy.errors import InstanceHeld, Reason

SPECIFIC_CHARACTER_SET = 0x00080005
#: Float Pixel Data, Double Float Pixel Data, Pixel Data
PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
#: PS3.5 9.1
_UID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")


def is_uid(value: str) -> bool:
    """PS3.5 9.1."""
    return len(value) <= 64 and _UID.fullmatch(value) is not None


def charset_of(level: Level, inherited: Charset = DEFAULT) -> Charset:
    """(0008,0005) where the data set or item has it, else that of the data set around it (PS3.5 7.5.3)."""
    if SPECIFIC_CHARACTER_SET not in level:
        return inherited
    _, value = level.value(SPECIFIC_CHARACTER_SET)
    if not isinstance(value, bytes):
        raise InstanceHeld(Reason.BAD_CHARSET, "the declared character set is a sequence", SPECIFIC_CHARACTER_SET)
    return declared(value)


def plain_of(level: Level, tag: int) -> str | None:
    """The value of a UID, date or code string, unpadded; "" when absent, None when it cannot be one."""
    if tag not in level:
        return ""
    _, value = level.value(tag)
    return value.decode("ascii").strip(" \0") if isinstance(value, bytes) and value.isascii() else None


def text_of(level: Level, tag: int, charset: Charset) -> str:
    """The decoded, unpadded value of a text element, "" when absent."""
    if tag not in level:
        return ""
    _, value = level.value(tag)
    if not isinstance(value, bytes):
        raise InstanceHeld(Reason.MALFORMED, "a sequence where a text belongs", tag)
    return charset.decode(tag, value).strip(" \0")
