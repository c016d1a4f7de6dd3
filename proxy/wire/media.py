"""Media types and their negotiation (PS3.18 8.7, RFC 9110 8.3.1 and 12.5.1).

Reads Content-Type and Accept as the field writes them: `type=` with and without quotes, and `transfer-syntax` that
slipped inside the quotes of `type`. Decides which of our offers a client takes. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
JSON = "application/json"
OCTETS = "application/octet-stream"
RELATED = "multipart/related"

#: PS3.18 table 8.7.3-5: how compressed frames are called, by transfer syntax.
BULK_TYPES = {
    f"1.2.840.10008.1.2.{suffix}": media
    for media, suffixes in {
        "image/jpeg": ("4.50", "4.51", "4.57", "4.70"),
        "image/dicom-rle": ("5",),
        "image/jls": ("4.80", "4.81"),
        "image/jp2": ("4.90", "4.91"),
        "image/jpx": ("4.92", "4.93"),
        "image/jphc": ("4.201", "4.202", "4.203"),
        "image/jxl": ("4.110", "4.111", "4.112"),
        "video/mpeg": ("4.100", "4.101"),
        "video/mp4": ("4.102", "4.103", "4.104", "4.105", "4.106"),
        "video/H265": ("4.107", "4.108"),
    }.items()
    for suffix in suffixes
}

#: Older names that clients still send.
_ALIASES = {
    "image/x-dicom-rle": "image/dicom-rle",
    "image/x-jls": "image/jls",
    "image/jhc": "image/jphc",
    "image/x-jpeg-xl": "image/jxl",
    "video/h265": "video/H265",
}

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TYPE = re.compile(rf"\s*({_WORD})/({_WORD})\s*")
#: an unquoted value may hold a slash: `type=application/dicom` is wrong by RFC 9110 and seen every day
_PARAMETER = re.compile(rf';\s*(?:({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))\s*)?')
_MAX_RANGES = 64


class MediaTypeError(ValueError):
    """A Content-Type or Accept value that cannot be read."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """``type/subtype`` in lower case and its parameters by lower-case name."""

    essence: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """What the parts of a multipart/related are: the essence of `type`, "" when there is none."""
        return known_as(self.parameters.get("type", "").split(";")[0].strip().lower())


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One member of an Accept header. ``syntax`` is "" where no transfer-syntax was said."""

    essence: str
    root: str
    syntax: str
    q: float


@dataclass(frozen=True, slots=True)
class Offer:
    """What we can send: ``root`` is the type of the parts where ``essence`` is multipart/related."""

    essence: str
    root: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The offer that won, and the transfer syntaxes the client takes with it; None stands for any."""

    offer: Offer
    syntaxes: frozenset[str] | None


def parse_media_type(text: str) -> MediaType:
    """One media type with parameters; `MediaTypeError` when it is not one."""
    media, end = _parse_one(text, 0)
    if end != len(text):
        raise MediaTypeError("more than one media type")
    return media


def _parse_one(text: str, start: int) -> tuple[MediaType, int]:
    match = _TYPE.match(text, start)
    if match is None:
        raise MediaTypeError("not a media type")
    parameters: dict[str, str] = {}
    end = match.end()
    while (part := _PARAMETER.match(text, end)) is not None:
        name, quoted, plain = part.groups()
        end = part.end()
        if name is not None:
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            parameters.setdefault(name.lower(), value)
    return MediaType(f"{match[1]}/{match[2]}".lower(), parameters), end


def parse_accept(text: str) -> list[MediaRange]:
    """Every media range of an Accept header or `accept` parameter, in order."""
    ranges: list[MediaRange] = []
    position = 0
    while position < len(text):
        if text[position] in ", \t":
            position += 1
            continue
        media, position = _parse_one(text, position)
        if (position < len(text) and text[position] != ",") or len(ranges) >= _MAX_RANGES:
            raise MediaTypeError("not a list of media ranges")
        ranges.append(_range(media))
    return ranges


def _range(media: MediaType) -> MediaRange:
    inner = media.parameters.get("type", "")
    syntax = media.parameters.get("transfer-syntax", "")
    if not syntax and ";" in inner:  # type="application/dicom; transfer-syntax=*"
        syntax = parse_media_type(inner).parameters.get("transfer-syntax", "")
    try:
        q = min(1.0, max(0.0, float(media.parameters.get("q", "1"))))
    except ValueError:
        raise MediaTypeError("q is not a number") from None
    return MediaRange(known_as(media.essence), media.root, syntax.strip(), q)


def known_as(essence: str) -> str:
    """Today's name of a media type."""
    return _ALIASES.get(essence, essence)


def negotiate(accept: Sequence[str], parameter: str | None, offers: Sequence[Offer]) -> Choice | None:
    """Pick one of ``offers`` (best first) by PS3.18 8.7.8.1, or None for 406.

    The `accept` query parameter outranks the header. No Accept at all is taken as ``*/*``: many tools omit it.
    """
    for text in ([parameter] if parameter else []) + [", ".join(accept) or "*/*"]:
        choice = _choose(parse_accept(text), offers)
        if choice is not None:
            return choice
    return None


def _choose(ranges: Iterable[MediaRange], offers: Sequence[Offer]) -> Choice | None:
    known = list(ranges)
    best: tuple[float, Choice] | None = None
    for offer in offers:
        fitting = [(_specificity(r, offer), r) for r in known]
        fitting = [pair for pair in fitting if pair[0] > 0]
        if not fitting:
            continue
        level = max(pair[0] for pair in fitting)
        exact = [r for spec, r in fitting if spec == level and r.q > 0]
        if not exact:  # the most specific range says q=0: not acceptable
            continue
        q = max(r.q for r in exact)
        syntaxes = {r.syntax for r in exact}
        choice = Choice(offer, None if syntaxes & {"", "*"} else frozenset(syntaxes))
        if best is None or q > best[0]:
            best = (q, choice)
    return best[1] if best else None


def _specificity(media_range: MediaRange, offer: Offer) -> int:
    """0: does not cover; higher is more specific (RFC 9110 12.5.1)."""
    if media_range.essence == "*/*":
        return 1
    if media_range.essence == offer.essence.split("/")[0] + "/*":
        return 2
    if media_range.essence != offer.essence:
        return 0
    if offer.root and media_range.root not in ("", "*/*"):
        return 4 if media_range.root == offer.root else 0
    return 3
