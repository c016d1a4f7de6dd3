"""The gate's view of an output made of chunks: every part noted, read without copying what leaves as a slice.

A slice must be exactly one element of the top level (header, value, delimiter), as a second scan of it shows. In the
copy that is read it is left out, so reading costs nothing per pixel. Pure; what does not fit is `OUTPUT_UNREADABLE`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import proxy
from proxy.deid.inflate import inflate
from proxy.deid.part10 import PREAMBLE, MetaElement, head_of, read_meta, read_part10
from proxy.deid.profile import Policy
from proxy.deid.reading import PIXEL_DATA, Leaf
from proxy.deid.tables import TransferSyntax
from proxy.deid.types import Chunk, Slice
from proxy.deid.view import View, view_of
from proxy.errors import InstanceHeld, Reason

_BULK_VRS = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "OB or OW"})
_META = (0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013)
#: version, and whose implementation wrote it
_OURS = {
    0x00020001: b"\0\1",
    0x00020012: proxy.IMPLEMENTATION_CLASS_UID.encode("ascii"),
    0x00020013: proxy.IMPLEMENTATION_VERSION_NAME.encode("ascii"),
}


@dataclass(frozen=True, slots=True)
class Output:
    """A whole output, read. ``body`` holds the data set but for ``bulk``: elements that leave as slices."""

    sop_class_uid: str
    sop_instance_uid: str
    syntax: TransferSyntax
    view: View
    bulk: tuple[Leaf, ...]


def read_input(data: memoryview, policy: Policy) -> View:
    """The data set of a Part 10 file."""
    head = read_part10(data)
    syntax = policy.transfer_syntaxes.get(head.transfer_syntax_uid)
    if syntax is None:
        raise InstanceHeld(Reason.UNKNOWN_TRANSFER_SYNTAX, "this transfer syntax is not handled", 0x00020010)
    if syntax.deflated:
        return view_of(memoryview(inflate(data, head.dataset_offset, policy.limits)), 0, syntax, policy)
    return view_of(data, head.dataset_offset, syntax, policy)


def read_output(
    source: memoryview,
    chunks: tuple[Chunk, ...],
    policy: Policy,
    pixels: tuple[int, int] = (0, 0),
    note: Callable[[bytes | memoryview], None] = lambda part: None,
) -> Output:
    """Take apart; every byte of the output belongs to the head, to a token of ``body`` or to ``bulk``.

    ``pixels``: first and past-last of the chunks that together are one element, written anew in parts. ``note`` is
    told every part of the output, in order.
    """
    written: list[bytes] = []
    parts: list[bytes | memoryview] = []
    cuts: list[tuple[int, memoryview]] = []
    for index, chunk in enumerate(chunks):
        part = chunk if isinstance(chunk, bytes) else _run(source, chunk)
        note(part)
        if pixels[0] <= index < pixels[1]:
            parts.append(part)
            if index == pixels[1] - 1:
                cuts.append((sum(map(len, written)), memoryview(b"".join(parts))))
        elif isinstance(chunk, bytes):
            written.append(chunk)
        else:
            cuts.append((sum(map(len, written)), _run(source, chunk)))
    file = memoryview(written[0] if len(written) == 1 else b"".join(written))
    meta = read_meta(file)
    head = head_of(file, meta)
    _check_head(file, meta)
    syntax = policy.transfer_syntaxes.get(head.transfer_syntax_uid)
    if syntax is None or syntax.handling == "refuse" or (cuts and syntax.deflated):
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "the transfer syntax of the output does not fit it", 0x00020010)
    body, start = file, head.dataset_offset
    if syntax.deflated:
        body, start = memoryview(inflate(file, start, policy.limits)), 0
    view = view_of(body, start, syntax, policy)
    if not all(at == len(body) or view.begins(at) for at, _ in cuts):
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "a slice does not stand between two elements of the top level")
    bulk = tuple(_bulk(run, syntax, policy) for _, run in cuts)
    tags = [leaf.tag for leaf in bulk]  # that no tag is twice in `view` was seen when it was read
    if len(set(tags)) != len(tags) or any(view.at_top(tag) is not None for tag in tags):
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "an element occurs twice")
    return Output(head.sop_class_uid, head.sop_instance_uid, syntax, view, bulk)


def _run(source: memoryview, chunk: Slice) -> memoryview:
    if chunk.offset < 0 or chunk.length <= 0 or chunk.offset + chunk.length > len(source):
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "a slice reaches out of the input")
    return source[chunk.offset : chunk.offset + chunk.length]


def _bulk(run: memoryview, syntax: TransferSyntax, policy: Policy) -> Leaf:
    view = view_of(run, 0, syntax, policy)
    if len(view.rows) != 1 or view.is_sequence(0):
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "a slice is not exactly one element without items")
    leaf = view.leaf(0)
    if leaf.tag not in PIXEL_DATA or leaf.vr not in _BULK_VRS:
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "a slice that is not pixel data", leaf.tag)
    return leaf


def _check_head(head: memoryview, elements: list[MetaElement]) -> None:
    """PS3.15 E.1.1: preamble and file meta information are replaced; seven elements of our own are all there is."""
    if head[:PREAMBLE] != bytes(PREAMBLE):
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "the preamble is not empty")
    for element, expected in zip(elements, _META, strict=False):
        if element.tag != expected:
            raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "file meta information that is not ours", element.tag)
    if len(elements) != len(_META):
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "file meta information is not complete", 0x00020000)
    for element in elements:
        ours = _OURS.get(element.tag)
        value = bytes(head[element.value_offset : element.value_offset + element.length]) if ours is not None else b""
        if ours is not None and value.rstrip(b"\0 ") != ours:
            raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "file meta information that is not ours", element.tag)
