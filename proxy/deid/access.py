"""Reads single elements of a data set that pydicom has taken apart: encoded value, items, text, UIDs.

The parser's data set is not asked to convert anything; values stay bytes until somebody needs their meaning. What a
parser raises over an input becomes `MALFORMED` here and nowhere else. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.values import convert_SQ

from proxy.deid.values import DEFAULT, Charset, declared
from proxy.errors import InstanceHeld, Reason

SPECIFIC_CHARACTER_SET = 0x00080005
#: Float Pixel Data, Double Float Pixel Data, Pixel Data
PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
#: PS3.5 9.1
_UID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")


@contextmanager
def parsing(tag: int | None = None) -> Iterator[None]:
    """The one place where whatever pydicom raises over an input becomes `MALFORMED`. Its message may quote values."""
    try:
        yield
    except InstanceHeld:
        raise
    except MemoryError:
        raise
    except UserWarning:  # see values.strict_text
        raise InstanceHeld(Reason.BAD_CHARSET, "the declared character set is not known", tag) from None
    except Exception as error:  # noqa: BLE001 (a parser may fail in any way; none may pass as read)
        raise InstanceHeld(Reason.MALFORMED, f"the parser gave up: {type(error).__name__}", tag) from None


def value_of(dataset: Dataset, tag: int) -> tuple[str, bytes | Sequence[Dataset]]:
    """VR ("" in implicit VR) and encoded value of an element; the items where the parser has opened a sequence."""
    element = dataset.get_item(BaseTag(tag), keep_deferred=True)
    if isinstance(element, RawDataElement):
        return element.VR or "", element.value or b""
    if element is not None and element.VR == "SQ":
        return "SQ", list(element.value)
    raise InstanceHeld(Reason.MALFORMED, "an undefined length where none is allowed", tag)


def items_of(dataset: Dataset, tag: int) -> Sequence[Dataset]:
    """The items of a sequence, opened now where its length was defined. UN holds implicit VR (PS3.5 6.2.2)."""
    element = dataset.get_item(BaseTag(tag), keep_deferred=True)
    if not isinstance(element, RawDataElement):
        return list(element.value) if element is not None else []
    unknown = element.VR == "UN"
    implicit, little = element.is_implicit_VR or unknown, element.is_little_endian or unknown
    with parsing(tag):
        return list(convert_SQ(element.value or b"", implicit, little))


def is_uid(value: str) -> bool:
    """PS3.5 9.1."""
    return len(value) <= 64 and _UID.fullmatch(value) is not None


def charset_of(dataset: Dataset, inherited: Charset = DEFAULT) -> Charset:
    """(0008,0005) where the data set or item has it, else that of the data set around it (PS3.5 7.5.3)."""
    if SPECIFIC_CHARACTER_SET not in dataset:
        return inherited
    _, value = value_of(dataset, SPECIFIC_CHARACTER_SET)
    if not isinstance(value, bytes):
        raise InstanceHeld(Reason.BAD_CHARSET, "the declared character set is a sequence", SPECIFIC_CHARACTER_SET)
    return declared(value)


def plain_of(dataset: Dataset, tag: int) -> str | None:
    """The value of a UID, date or code string, unpadded; "" when absent, None when it cannot be one."""
    if tag not in dataset:
        return ""
    _, value = value_of(dataset, tag)
    return value.decode("ascii").strip(" \0") if isinstance(value, bytes) and value.isascii() else None


def text_of(dataset: Dataset, tag: int, charset: Charset) -> str:
    """The decoded, unpadded value of a text element, "" when absent."""
    if tag not in dataset:
        return ""
    _, value = value_of(dataset, tag)
    if not isinstance(value, bytes):
        raise InstanceHeld(Reason.MALFORMED, "a sequence where a text belongs", tag)
    return charset.decode(tag, value).strip(" \0")
