"""From encoded bytes to a data set whose values are still bytes: head, transfer syntax, pre-scan, pydicom's parser.

Pixel data is found by the scan and never copied or parsed. The parser only takes the structure apart; what it says at
the top level is compared with the scan, so that two readings of the same bytes agree. Pure; raises `InstanceHeld`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.values import convert_SQ

from proxy.deid.part10 import Part10, read_part10
from proxy.deid.profile import Policy
from proxy.deid.tables import TransferSyntax
from proxy.deid.tokens import UNDEFINED, Token, inflate, scan
from proxy.errors import InstanceHeld, Reason

#: Float Pixel Data, Double Float Pixel Data, Pixel Data
PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_PIXEL_VRS = frozenset({"", "OB", "OW", "OF", "OD"})


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance, read. ``body`` is the buffer that ``pixels`` points into: the input, or what was inflated."""

    head: Part10
    syntax: TransferSyntax
    body: memoryview
    dataset: Dataset
    pixels: Token | None


def read_instance(data: memoryview, policy: Policy) -> Instance:
    """Everything that can be wrong with the encoding is found here."""
    head = read_part10(data)
    syntax = policy.transfer_syntaxes.get(head.transfer_syntax_uid)
    if syntax is None or syntax.handling == "refuse":
        raise InstanceHeld(Reason.UNKNOWN_TRANSFER_SYNTAX, "this transfer syntax is not handled", 0x00020010)
    body, offset = data, head.dataset_offset
    if syntax.deflated:
        body, offset = memoryview(inflate(data, offset, policy.limits)), 0
    tokens = scan(body, offset, implicit=syntax.implicit, little=syntax.little, limits=policy.limits)
    top = [token for token in tokens if token.depth == 0]
    pixels = _pixels(top, syntax)
    with parsing():
        dataset = _parse(body, offset, pixels, syntax)
    if set(dataset.keys()) != {token.tag for token in top} - PIXEL_DATA:
        raise InstanceHeld(Reason.MALFORMED, "two readings of the data set do not agree")
    return Instance(head, syntax, body, dataset, pixels)


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


def _parse(body: memoryview, offset: int, pixels: Token | None, syntax: TransferSyntax) -> Dataset:
    parts = [body[offset:]] if pixels is None else [body[offset : pixels.offset], body[pixels.end :]]
    dataset = read_dataset(io.BytesIO(b"".join(parts)), syntax.implicit, syntax.little)
    if len(dataset) and dataset.original_encoding != (syntax.implicit, syntax.little):
        raise InstanceHeld(Reason.MALFORMED, "the data set is not in its declared transfer syntax")
    return dataset


def _pixels(top: Sequence[Token], syntax: TransferSyntax) -> Token | None:
    found = [token for token in top if token.tag in PIXEL_DATA]
    if not found:
        return None
    pixels = found[0]
    if len(found) > 1 or pixels.vr not in _PIXEL_VRS:
        raise InstanceHeld(Reason.MALFORMED, "more than one kind of pixel data, or one with a wrong VR", pixels.tag)
    if (pixels.length == UNDEFINED) != (syntax.handling != "native"):
        raise InstanceHeld(Reason.MALFORMED, "pixel data and transfer syntax do not agree on encapsulation", pixels.tag)
    return pixels
