"""What every format renders: one record of the log, made harmless. The only file here that knows the record's members.

Every text is one line of printable characters: what is not printable (controls, line ends, marks that turn the
direction of writing, lone surrogates) becomes ``\\uXXXX``. So a format has only its own delimiters left to escape, and
no AE title can begin a line, end a message or draw itself over what stands before it.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: members of a record that have a field of their own below
_KNOWN = frozenset(
    "v seq ts node prev hash type outcome project peer behalf object reason policy_digest key_epoch counts".split()
)


def plain(text: str) -> str:
    """``text`` with everything that is not printable spelled out in ASCII."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _spelled(ord(each)) for each in text)


def _spelled(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as words. ``details``: all that has no field of its own, by name."""

    seq: int
    node: str
    hash: str
    time: str  # RFC 3339, UTC
    type: str
    outcome: str  # success, failure
    reason: str
    project: str
    peer: Mapping[str, str]
    behalf: Mapping[str, str]
    object: Mapping[str, str]
    details: tuple[tuple[str, str], ...]

    @property
    def failed(self) -> bool:
        """Whether what is recorded did not succeed."""
        return self.outcome != "success"

    @property
    def who(self) -> str:
        """The name, AE title, address or transport of the other end; "" where there was nobody."""
        return _named(self.peer)

    @property
    def principal(self) -> str:
        """On whose behalf it was done; "" for nobody else's."""
        return _named(self.behalf)

    @property
    def told(self) -> dict[str, str]:
        """All that has no field of its own and all groups, by name: ``object.kind``, ``counts.kept``."""
        groups = (("peer", self.peer), ("behalf", self.behalf), ("object", self.object))
        return {f"{g}.{key}": value for g, members in groups for key, value in members.items()} | dict(self.details)

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The other end's address, where it is one."""
        try:
            return ipaddress.ip_address(self.peer.get("address", ""))
        except ValueError:
            return None

    @property
    def microseconds(self) -> int:
        """Since the epoch; 0 for what is no time."""
        try:
            since = datetime.fromisoformat(self.time) - _EPOCH
        except (ValueError, TypeError):
            return 0
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds

    @property
    def brief(self) -> Entry:
        """The same without its details and long words, for a transport that takes no more."""
        peer = {key: value[:64] for key, value in self.peer.items() if key in _NAMES}
        behalf = {key: value[:64] for key, value in self.behalf.items() if key in _NAMES}
        about = {key: value[:64] for key, value in self.object.items() if key in _BRIEF_OBJECT}
        return Entry(
            self.seq, self.node[:64], self.hash, self.time, self.type[:64], self.outcome[:16], self.reason[:200],
            self.project[:64], peer, behalf, about, (("shortened", "true"),),
        )  # fmt: skip


#: what names somebody, best first
_NAMES = ("caller", "calling_ae", "address", "transport", "called_ae")
_BRIEF_OBJECT = (
    "kind", "id", "destination", "sop_class_uid", "study_instance_uid", "series_instance_uid", "sop_instance_uid",
)  # fmt: skip


def entry_of(record: Mapping[str, Any]) -> Entry:
    """The entry of a parsed record. Never fails for what a member holds; a missing one is empty."""
    counts = {f"counts.{key}": value for key, value in _mapping(record.get("counts")).items()}
    more = {key: record[key] for key in ("policy_digest", "key_epoch") if record.get(key)}
    more |= counts | {key: value for key, value in record.items() if key not in _KNOWN}
    return Entry(
        seq=int(record.get("seq", 0)),
        node=_text(record.get("node")),
        hash=_text(record.get("hash")),
        time=_text(record.get("ts")),
        type=_text(record.get("type")),
        outcome=_text(record.get("outcome")),
        reason=_text(record.get("reason")),
        project=_text(record.get("project")),
        peer=dict(_words(_mapping(record.get("peer")).items())),
        behalf=dict(_words(_mapping(record.get("behalf")).items())),
        object=dict(_words(_mapping(record.get("object")).items())),
        details=tuple(sorted(_words(more.items()))),
    )


def _named(members: Mapping[str, str]) -> str:
    return next((members[key] for key in _NAMES[:4] if members.get(key)), "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _words(members: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, str]]:
    """Name and text of every member that says something."""
    for key, value in members:
        if (name := _text(str(key))) and (text := _text(value)) and text not in ("{}", "[]"):
            yield name, text


def _text(value: Any) -> str:
    """``value`` as a word: no blanks around it, so that a word of blanks says nothing."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
    return plain(text).strip()
