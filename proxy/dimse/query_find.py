"""The Query SCP: C-FIND over what `proxy.service.search` answers for a project (PS3.4 C.4.1).

One response for each match, as the pages of the search come; a search that is not wanted any more is ended. A key that
would match what identifies somebody is refused before anything is asked, as QIDO-RS does.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from proxy.dimse.query_answer import answer, encoded, patients
from proxy.dimse.query_identifier import Asked, asked, tag_of
from proxy.dimse.query_models import FIND
from proxy.dimse.query_service import Cancelled, QueryRetrieve, Question, unless_cancelled
from proxy.dimse.query_status import (
    PENDING,
    PENDING_UNSUPPORTED,
    REFUSED_KEY,
    RESPONSE_LIMIT,
    SUCCESS,
    UNABLE,
    Refused,
)
from proxy.service.callers import Verb
from proxy.service.ports import AuditTrail
from proxy.service.readers import Searches
from proxy.service.search import MOST, Found
from proxy.wire.command import C_FIND_RQ
from proxy.wire.dicom_encode import EncodeError
from proxy.wire.dicom_json import Json

#: The most matches of one C-FIND; of patients, the most studies that they are told from.
MOST_MATCHES = 20_000


class Find(QueryRetrieve):
    """C-FIND in the Patient Root and Study Root models."""

    def __init__(self, search: Searches, audit: AuditTrail, most: int = MOST_MATCHES) -> None:
        """``most`` matches are given for one request."""
        super().__init__(FIND, C_FIND_RQ, Verb.SEARCH, audit)
        self._search, self._most = search, most

    async def _answer(self, question: Question) -> None:
        wanted = asked(question.model, question.identifier, question.relational)
        studies, status, offset, more = list[Json](), PENDING, 0, True
        while more and offset < self._most:
            found = await self._page(question, wanted, offset)
            status = PENDING_UNSUPPORTED if wanted.unsupported or found.ignored else PENDING
            if wanted.level == "patient":
                studies += found.matches
            else:
                await _tell(question, wanted, found.matches, status)
            offset += len(found.matches)
            more = found.more and bool(found.matches)
        if wanted.level == "patient":
            await _tell(question, wanted, patients(studies, not more), status)
        await question.message.respond(RESPONSE_LIMIT if more else SUCCESS)

    async def _page(self, question: Question, wanted: Asked, offset: int) -> Found:
        level = "study" if wanted.level == "patient" else wanted.level
        query = replace(wanted.query, limit=min(MOST, self._most - offset), offset=offset)
        work = self._search.search(question.project, level, wanted.within, query, question.peer)
        found = await unless_cancelled(question.message, work)
        if found.refused:
            tag = tag_of(found.refused[0].partition(".")[0])
            raise Refused(REFUSED_KEY, "refused: this key would match what identifies somebody", int(tag, 16))
        return found


async def _tell(question: Question, wanted: Asked, matches: list[Json], status: int) -> None:
    message = question.message
    for match in matches:
        if message.cancelled.is_set():
            raise Cancelled
        identifier = answer(match, wanted.level, wanted.keys, question.peer.called_ae)
        try:
            data = encoded(identifier, message.context.syntax)
        except EncodeError:
            raise Refused(UNABLE, "a match cannot be written as an identifier") from None
        await message.respond(status, data)
        await asyncio.sleep(0)  # so that a C-CANCEL is read
