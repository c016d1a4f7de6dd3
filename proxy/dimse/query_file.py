"""One de-identified Part 10 file on its way into a C-STORE sub-operation: what it is, and how a peer can have it.

It goes as it is stored. Where a peer takes only another syntax of pixel data that is not encapsulated, headers are
written anew and values stay; nothing is decoded or compressed here (see `rewriting`). Reads files and changes none.
Blocks: call it in a thread.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from proxy.archive import encoded
from proxy.dimse.outgoing import Data, File, part10_offset
from proxy.wire.implicit import implicit
from proxy.wire.negotiation import Context
from proxy.wire.vr import DEFLATED_LE, EXPLICIT_LE, IMPLICIT_LE, NATIVE

#: in which what is not encapsulated can be written, the better first
REWRITTEN = (EXPLICIT_LE, IMPLICIT_LE)
#: what is rewritten lies in memory
_MOST_BYTES = 256 << 20


class CannotGive(Exception):
    """There is no such file any more, or none that a peer can have in this syntax."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file, by its meta information (PS3.10 7.1)."""

    path: Path
    sop_class: str
    instance: str
    syntax: str


def stored(path: Path) -> Stored:
    """What lies there; `CannotGive`."""
    try:
        meta = read_file_meta_info(path)
        uids = (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID)
    except (OSError, InvalidDicomError, AttributeError, ValueError):
        raise CannotGive("not there, or not Part 10") from None
    return Stored(path, *map(str, uids))


def syntaxes_for(instance: Stored, decoded: bool) -> tuple[str, ...]:
    """In which it can go, the better first; ``decoded``: what is compressed may be decompressed."""
    others = REWRITTEN if decoded or instance.syntax in NATIVE else ()
    return tuple(dict.fromkeys((instance.syntax, *others)))


def context_for(instance: Stored, contexts: Iterable[Context], decoded: bool) -> Context | None:
    """The context for ``instance``: its own syntax, else one that it can be rewritten in."""
    by_syntax = {context.syntax: context for context in contexts if context.abstract == instance.sop_class}
    wanted = syntaxes_for(instance, decoded)
    return next((by_syntax[syntax] for syntax in wanted if syntax in by_syntax), None)


def data_set(instance: Stored, syntax: str) -> Data:
    """The data set in ``syntax``: the file itself, or rewritten. `CannotGive`."""
    try:
        offset = part10_offset(instance.path)
        if syntax == instance.syntax:
            return File(instance.path, offset)
        if instance.path.stat().st_size > _MOST_BYTES:
            raise CannotGive("too large to be rewritten")
        explicit = _explicit(instance, offset)
        return explicit if syntax == EXPLICIT_LE else b"".join(implicit(explicit))
    except (OSError, ValueError, LookupError, AttributeError, zlib.error):
        raise CannotGive("cannot be read or rewritten") from None


def _explicit(instance: Stored, offset: int) -> bytes:
    if instance.syntax == EXPLICIT_LE:
        return instance.path.read_bytes()[offset:]
    if instance.syntax == DEFLATED_LE:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        data = inflater.decompress(instance.path.read_bytes()[offset:], _MOST_BYTES)
        if inflater.unconsumed_tail:
            raise CannotGive("too large to be rewritten")
        return data
    stamp = encoded.stamp(instance.path)
    pieces = encoded.instance(instance.path)[1:]  # behind the file meta information
    return b"".join(encoded.blocks(instance.path, pieces, stamp))
