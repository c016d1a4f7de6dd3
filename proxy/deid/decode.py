"""From encoded bytes to a data set whose values are still bytes: head, transfer syntax, pre-scan, pydicom's parser.

Pixel data is found by the scan and never copied or parsed. The parser only takes the structure apart; what it says at
the top level is compared with the scan, so that two readings of the same bytes agree. Pure; raises `InstanceHeld`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from proxy.deid.access import PIXEL_DATA, parsing
from proxy.deid.part10 import Part10, read_part10
from proxy.deid.profile import Policy
from proxy.deid.tables import TransferSyntax
from proxy.deid.tokens import UNDEFINED, Token, inflate, scan
from proxy.errors import InstanceHeld, Reason

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
