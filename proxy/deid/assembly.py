"""The gate's view of an output made of chunks: hashed whole, read without copying what leaves as a slice.

A slice must be exactly one element of the top level (header, value, delimiter), as a second scan of it shows. In the
copy that is read it is left out, so reading costs nothing per pixel. Pure; what does not fit is `OUTPUT_UNREADABLE`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import proxy
from proxy.deid.tables import TransferSyntax
from proxy.deid.tokens import Limits, Token, inflate, read_meta, read_part10, scan
from proxy.deid.types import Chunk, Slice
from proxy.errors import InstanceHeld, Reason

_META = (0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013)


@dataclass(frozen=True, slots=True)
class Output:
    """A whole output, read. ``body`` holds the data set but for ``bulk``: elements that leave as slices."""

    sha256: str
    size: int
    sop_class_uid: str
    sop_instance_uid: str
    syntax: TransferSyntax
    body: memoryview
    tokens: list[Token]
    bulk: tuple[tuple[Token, memoryview], ...]


def read_output(
    source: memoryview,
    chunks: tuple[Chunk, ...],
    syntaxes: Mapping[str, TransferSyntax],
    limits: Limits,
    pixels: tuple[int, int] = (0, 0),
) -> Output:
    """Hash and take apart; every byte of the output belongs to the head, to a token of ``body`` or to ``bulk``.

    ``pixels``: first and past-last of the chunks that together are one element, written anew in parts.
    """
    digest, size = hashlib.sha256(), 0
    written: list[bytes] = []
    parts: list[bytes | memoryview] = []
    cuts: list[tuple[int, memoryview]] = []
    for index, chunk in enumerate(chunks):
        part = chunk if isinstance(chunk, bytes) else _run(source, chunk)
        digest.update(part)
        size += len(part)
        if pixels[0] <= index < pixels[1]:
            parts.append(part)
            if index == pixels[1] - 1:
                cuts.append((sum(map(len, written)), memoryview(b"".join(parts))))
        elif isinstance(chunk, bytes):
            written.append(chunk)
        else:
            cuts.append((sum(map(len, written)), _run(source, chunk)))
    file = memoryview(written[0] if len(written) == 1 else b"".join(written))
    head = read_part10(file)
    _check_head(file)
    syntax = syntaxes.get(head.transfer_syntax_uid)
    if syntax is None or syntax.handling == "refuse" or (cuts and syntax.deflated):
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "the transfer syntax of the output does not fit it", 0x00020010)
    body, start = file, head.dataset_offset
    if syntax.deflated:
        body, start = memoryview(inflate(file, start, limits)), 0
    tokens = scan(body, start, implicit=syntax.implicit, little=syntax.little, limits=limits)
    borders = {token.offset for token in tokens if token.depth == 0} | {len(body)}
    if any(at not in borders for at, _ in cuts):
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "a slice does not stand between two elements of the top level")
    bulk = tuple(_bulk(run, syntax, limits) for _, run in cuts)
    return Output(digest.hexdigest(), size, head.sop_class_uid, head.sop_instance_uid, syntax, body, tokens, bulk)


def _run(source: memoryview, chunk: Slice) -> memoryview:
    if chunk.offset < 0 or chunk.length <= 0 or chunk.offset + chunk.length > len(source):
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "a slice reaches out of the input")
    return source[chunk.offset : chunk.offset + chunk.length]


def _bulk(run: memoryview, syntax: TransferSyntax, limits: Limits) -> tuple[Token, memoryview]:
    tokens = scan(run, 0, implicit=syntax.implicit, little=syntax.little, limits=limits)
    if len(tokens) != 1:
        raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "a slice is not exactly one element without items")
    return tokens[0], run[tokens[0].value_offset :]


def _check_head(head: memoryview) -> None:
    """PS3.15 E.1.1: preamble and file meta information are replaced; seven elements of our own are all there is."""
    if any(head[:128]):
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "the preamble is not empty")
    elements = read_meta(head)
    for element, expected in zip(elements, _META, strict=False):
        if element.tag != expected:
            raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "file meta information that is not ours", element.tag)
    if len(elements) != len(_META):
        raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "file meta information is not complete", 0x00020000)
    values = {e.tag: bytes(head[e.value_offset : e.value_offset + e.length]).rstrip(b"\0 ") for e in elements}
    ours = {
        0x00020001: b"\0\1",
        0x00020012: proxy.IMPLEMENTATION_CLASS_UID.encode("ascii"),
        0x00020013: proxy.IMPLEMENTATION_VERSION_NAME.encode("ascii"),
    }
    for tag, value in ours.items():
        if values[tag] != value:
            raise InstanceHeld(Reason.ELEMENT_NOT_ALLOWED, "file meta information that is not ours", tag)
