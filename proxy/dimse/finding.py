"""One C-FIND in the Study Root model (PS3.4 C.4.1): its matches as DICOM JSON objects.

What a PACS answers is taken as it is, but for what tells of the PACS itself.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from proxy.dimse.asking import SYNTAXES, Proposal, ask, lost
from proxy.dimse.association import Association
from proxy.dimse.exchange import PENDING, AssociationLost
from proxy.dimse.message import Message
from proxy.dimse.query_identifier import read
from proxy.dimse.query_status import Refused
from proxy.service.upstream import UpstreamError
from proxy.wire.command import C_CANCEL_RQ, C_FIND_RQ, Command
from proxy.wire.dicom_json import Json

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
FIND = Proposal("find", [(STUDY_ROOT_FIND, SYNTAXES)])
#: Matches of one C-FIND; what may still come after a C-CANCEL.
_MOST, _AFTER_CANCEL = 100_000, 10_000
_ENDED = frozenset({0x0000, 0xFE00})
#: character set, query/retrieve level, retrieve AE title: of the message and of the PACS, not of what was found
_NOT_AN_ANSWER = ("00080005", "00080052", "00080054")


async def find(name: str, association: Association, identifier: Dataset, most: int) -> list[Json]:
    """The matches of ``identifier``; with ``most``, cancelled as soon as there are so many."""
    found: list[Json] = []
    surplus = 0
    try:
        async with aclosing(ask(name, association, C_FIND_RQ, STUDY_ROOT_FIND, identifier)) as answers:
            async for answer in answers:
                if answer.command.status not in PENDING:
                    _check_ended(name, answer.command.status)
                elif len(found) < (most or _MOST):
                    found.append(_match(name, answer))
                    if len(found) == most:
                        await _cancel(association, answer)
                else:
                    surplus += 1
                    if not most or surplus > _AFTER_CANCEL:
                        raise UpstreamError(name, "too-many")
    except AssociationLost as error:
        raise lost(name, error, bool(found)) from None
    return found


def _check_ended(name: str, status: int) -> None:
    if status < 0:
        raise UpstreamError(name, "no-answer")
    if status not in _ENDED:
        raise UpstreamError(name, f"{status:04X}")


async def _cancel(association: Association, answer: Message) -> None:
    """C-CANCEL; the final response is still to come, and only then is the association free for others."""
    command = Command(C_CANCEL_RQ, MessageIDBeingRespondedTo=answer.command.responding_to)
    await association.transmit(answer.context, command)


def _match(name: str, answer: Message) -> Json:
    try:
        found = read(answer.data, answer.context.syntax)
    except Refused:
        raise UpstreamError(name, "unreadable") from None
    for tag in _NOT_AN_ANSWER:
        found.pop(tag, None)
    return found
