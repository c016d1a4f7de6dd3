"""What STOW-RS metadata says of its instances, and what waits until it has its bulk data (PS3.18 10.5.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from proxy.dicomweb.intake import Part
from proxy.dicomweb.status import Refused
from proxy.wire.dicom_encode import EncodeError, Hole, Piece, encode
from proxy.wire.dicom_json import Json, first_value
from proxy.wire.dicom_xml import XmlError, from_xml
from proxy.wire.media import DICOM_JSON, DICOM_XML, JSON, MediaTypeError, known_as, parse_media_type

#: media types of metadata
METADATA = (DICOM_JSON, DICOM_XML, JSON)


@dataclass(slots=True, eq=False)
class Waiting:
    """An instance whose bulk data is not all there."""

    names: tuple[str, str]
    pieces: list[Piece]
    frames: int
    syntaxes: tuple[str, ...]
    fault: str = ""

    @property
    def holes(self) -> list[Hole]:
        """What its bulk data has to fill."""
        return [piece for piece in self.pieces if isinstance(piece, Hole)]


@dataclass(slots=True)
class Bulk:
    """The parts of one Content-Location, in their order. ``syntax`` is "" for what is not compressed."""

    parts: list[Part] = field(default_factory=list)
    media: str = ""
    syntax: str = ""
    users: list[Waiting] = field(default_factory=list)


def media_of(headers: Mapping[str, str]) -> tuple[str, str]:
    """Media type of a part and the transfer syntax that it names; empty where it names none that can be read."""
    try:
        media = parse_media_type(headers.get("content-type", "application/octet-stream"))
    except MediaTypeError:
        return "", ""
    return known_as(media.essence), media.parameters.get("transfer-syntax", "")


def read_metadata(media: str, data: bytes) -> list[Json]:
    """The data sets of a metadata part (DICOM JSON Model or Native DICOM Model); `Refused` for what is neither."""
    try:
        found = [from_xml(data)] if media == DICOM_XML else json.loads(data)
    except (XmlError, ValueError, RecursionError):
        raise Refused(HTTPStatus.BAD_REQUEST, "the metadata cannot be read") from None
    instances = found if isinstance(found, list) else [found]
    if not all(isinstance(instance, dict) for instance in instances):
        raise Refused(HTTPStatus.BAD_REQUEST, "the metadata is not a list of data sets")
    return instances


def prepared(instance: Json) -> Waiting:
    """An instance, encoded but for its bulk data; with a ``fault`` where that cannot be done."""
    try:
        sop_class, uid, frames, *syntaxes = (
            first_value(instance, tag) for tag in ("00080016", "00080018", "00280008", "00020010", "00083002")
        )
    except (AttributeError, TypeError, KeyError, IndexError):
        return Waiting(("", ""), [], 1, (), "metadata")
    count = int(frames) if frames.isascii() and frames.isdigit() and len(frames) < 7 else 1
    waiting = Waiting((sop_class, uid), [], max(1, count), tuple(syntaxes))
    try:
        waiting.pieces = encode(instance)
    except EncodeError:
        waiting.fault = "metadata"
    return waiting
