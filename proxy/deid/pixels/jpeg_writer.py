"""Writes a sequential Huffman JPEG stream (ITU-T T.81 Annex B) from what was read of another; nothing else leaves.

Only tables that a scan uses, only the parts of application segments that say how colour is coded, in one fixed order.
"""

from __future__ import annotations

from proxy.deid.pixels.jpeg_markers import APP0, APP14, DHT, DQT, DRI, EOI, SOI, SOS
from proxy.deid.pixels.jpeg_sequential import CodedScan, Sequential
from proxy.deid.pixels.jpeg_tables import Huffman

#: JFIF 1.01 without density and thumbnail
_JFIF = b"JFIF\0\1\1\0\0\1\0\1\0\0"
#: version 100, no flags; the transform follows
_ADOBE = b"Adobe\0\x64\0\0\0\0"


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


class Writer:
    """A stream that grows by scans; ``finish`` has all of it."""

    def __init__(self, image: Sequential) -> None:
        self._image = image
        self._out = [bytes((0xFF, SOI)), *_colour(image)]
        self._quantisers: dict[int, bytes] = {}
        self._huffman: dict[tuple[int, int], Huffman] = {}
        self._restart = 0
        self._begun = False

    def scan(self, scan: CodedScan, data: bytes) -> None:
        """Tables where they changed, the frame header before the first scan, the scan."""
        components = [self._image.components[of] for of in scan.components]
        quantisers = {of.table: table for of, table in zip(components, scan.quantisers, strict=True)}
        huffman = {(0, to): dc for to, dc, _, _ in scan.tables} | {(1, to): ac for _, _, to, ac in scan.tables}
        self._out += [_segment(DQT, table) for to, table in quantisers.items() if self._quantisers.get(to) != table]
        if not self._begun:
            self._out.append(_frame(self._image))
        self._out += [
            _segment(DHT, bytes((kind << 4 | to,)) + table.counts + table.symbols)
            for (kind, to), table in huffman.items()
            if self._huffman.get((kind, to)) != table
        ]
        if scan.restart != self._restart:
            self._out.append(_segment(DRI, scan.restart.to_bytes(2, "big")))
        self._out += [_segment(SOS, _start(self._image, scan)), data]
        self._quantisers |= quantisers
        self._huffman |= huffman
        self._restart, self._begun = scan.restart, True

    def finish(self) -> bytes:
        """The stream."""
        return b"".join((*self._out, bytes((0xFF, EOI))))


def _colour(image: Sequential) -> list[bytes]:
    """What a decoder guesses colour by, for more than one component."""
    if len(image.components) == 1:
        return []
    jfif = [_segment(APP0, _JFIF)] if image.jfif else []
    adobe = [] if image.adobe is None else [_segment(APP14, _ADOBE + bytes((image.adobe,)))]
    return jfif + adobe


def _frame(image: Sequential) -> bytes:
    head = bytes((image.precision,)) + image.rows.to_bytes(2, "big") + image.columns.to_bytes(2, "big")
    each = b"".join(bytes((c.identifier, c.horizontal << 4 | c.vertical, c.table)) for c in image.components)
    return _segment(image.process, head + bytes((len(image.components),)) + each)


def _start(image: Sequential, scan: CodedScan) -> bytes:
    each = b"".join(
        bytes((image.components[of].identifier, dc << 4 | ac))
        for of, (dc, _, ac, _) in zip(scan.components, scan.tables, strict=True)
    )
    return bytes((len(scan.components),)) + each + b"\0\x3f\0"
