"""The data sets of the Storage Commitment Push Model (PS3.4 tables J.3-1 and J.3-2): a request read, a report written.

A request is scanned within bounds before a value of it is looked at. No I/O here; a long request takes a while, so
callers use a thread.
"""

from __future__ import annotations

from proxy.deid.encode import Element, Item, encode_dataset
from proxy.deid.tokens import ITEM, Limits, Token, scan
from proxy.errors import InstanceHeld
from proxy.service.commitment import LONGEST, MOST, Committed, Named
from proxy.wire.uri import is_uid

#: PS3.7 C: processing failure, no such argument, invalid argument value, resource limitation
UNREADABLE, ABSENT, INVALID, TOO_MUCH = 0x0110, 0x0114, 0x0115, 0x0213

_TRANSACTION, _FAILED, _REFERENCED = 0x00081195, 0x00081198, 0x00081199
_CLASS, _INSTANCE, _REASON = 0x00081150, 0x00081155, 0x00081197
#: an item has two UIDs, and may say on which medium the instance is
_LIMITS = Limits(nesting_depth=8, elements=8 * MOST)


class NotARequest(Exception):
    """A data set that asks for nothing that can be answered; ``status`` says so to who sent it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status:04X}")
        self.status = status


def read_request(data: bytes, implicit: bool) -> tuple[str, list[Named]]:
    """The transaction UID, and (SOP Class UID, SOP Instance UID) of each instance, once. Raises `NotARequest`."""
    if len(data) > LONGEST:
        raise NotARequest(TOO_MUCH)
    try:
        tokens = scan(memoryview(data), 0, implicit=implicit, little=True, limits=_LIMITS)
    except InstanceHeld:
        raise NotARequest(UNREADABLE) from None
    top, transaction, items = 0, "", list[dict[int, str]]()
    for token in tokens:
        if token.depth == 0:
            top = token.tag
            if top == _TRANSACTION:
                transaction = _uid(data, token)
        elif token.depth == 1 and top == _REFERENCED:
            if token.tag == ITEM:
                items.append({})
            elif token.tag in (_CLASS, _INSTANCE):
                items[-1][token.tag] = _uid(data, token)
    if not transaction or not items or not all(len(item) == len((_CLASS, _INSTANCE)) for item in items):
        raise NotARequest(ABSENT)
    if len(items) > MOST:
        raise NotARequest(TOO_MUCH)
    return transaction, list(dict.fromkeys((item[_CLASS], item[_INSTANCE]) for item in items))


def write_report(transaction: str, result: Committed, implicit: bool) -> bytes:
    """The event information of a settled request."""
    failed = (
        (*_named(kind, uid), Element(_REASON, "US", why.to_bytes(2, "little"))) for kind, uid, why in result.failed
    )
    safe = (_named(kind, uid) for kind, uid in result.safe)
    elements = [_element(_TRANSACTION, transaction)]
    elements += [
        Element(tag, "SQ", items) for tag, items in ((_FAILED, tuple(failed)), (_REFERENCED, tuple(safe))) if items
    ]
    return encode_dataset(elements, implicit=implicit, little=True)


def _named(kind: str, uid: str) -> Item:
    return _element(_CLASS, kind), _element(_INSTANCE, uid)


def _element(tag: int, uid: str) -> Element:
    return Element(tag, "UI", uid.encode("ascii"))


def _uid(data: bytes, token: Token) -> str:
    value = data[token.value_offset : token.end].rstrip(b"\0 ").decode("ascii", "replace")
    if not is_uid(value):
        raise NotARequest(INVALID)
    return value
