"""Rows of the rules that a profile is compiled from, as plain frozen values. They are read by `proxy.store.rulebook`.

No behaviour but reading a tag's text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from proxy.deid.text_terms import Vocabulary

if TYPE_CHECKING:  # they read tags with this module
    from proxy.deid.private import SafePrivate
    from proxy.deid.structured import ContentRules

_TAG = re.compile(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A row of PS3.15 Table E.1-1. ``tag`` is its text: four rows are masks, not one tag."""

    tag: str
    keyword: str
    vr: str
    basic: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SopClass:
    """A storage SOP class and how risky its content is for a reader that does not look at pixels."""

    uid: str
    name: str
    risk: str
    kinds: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """PS3.5 section 10. ``handling``: native, encapsulated, video or refuse."""

    uid: str
    name: str
    implicit: bool
    little: bool
    deflated: bool
    handling: str


class AttributeType(NamedTuple):
    """PS3.3: the type of ``tag`` in ``module``, below the sequences named by ``path`` (keywords). There are 15 000."""

    module: str
    path: tuple[str, ...]
    tag: str
    type: str


@dataclass(frozen=True, slots=True)
class Method:
    """A code of CID 7050 (PS3.16): what an instance says was done to it."""

    code: str
    meaning: str
    option: str


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything under ``rules/standard`` and ``rules/text``. ``digest`` is over the bytes of the files."""

    edition: str
    digest: str
    attributes: tuple[Attribute, ...]
    sop_classes: Mapping[str, SopClass]
    transfer_syntaxes: Mapping[str, TransferSyntax]
    iod_modules: Mapping[str, tuple[tuple[str, str], ...]]
    types: tuple[AttributeType, ...]
    methods: tuple[Method, ...]
    #: clinical words, of ``rules/text``
    vocabulary: Vocabulary
    #: Table E.3.4-1 and Table E.3.10-1
    content: ContentRules
    safe_private: SafePrivate


def tag_number(text: str) -> int | None:
    """``"(0010,0020)"`` as a number; None for what is not one concrete tag."""
    match = _TAG.fullmatch(text)
    return int(match[1] + match[2], 16) if match else None


def tag_text(tag: int) -> str:
    """``"(0010,0020)"`` for 0x00100020."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
