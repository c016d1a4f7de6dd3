"""Whether the audit log is whole: how it stands, what verifications found, and a bundle of records to hand out.

Nothing here looks at the whole log: that is another process's work, and takes as long as it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web
from multidict import MultiDict

from proxy.console.audit_words import WORDS, told
from proxy.console.frame import Entry, Route, Visit, may
from proxy.console.pages import HEADERS
from proxy.console.refusal import Refusal
from proxy.service.audit_export import FORMS, AuditExport, Unsigned
from proxy.service.audit_question import SETS, BadQuestion, question_of
from proxy.service.audit_reading import AuditReading, Question
from proxy.service.callers import EVERY, Verb
from proxy.service.log_state import LogState
from proxy.service.verification import Verification

#: records that say something of the log itself, but of who reads it; shown of them
_NOTABLE = frozenset({
    "clock-step", "audit-damaged", "audit-recovered", "audit-removed", "audit-key", "audit-outage", "audit-late",
    "audit-sink-down", "audit-sink-up", "audit-verified",
})  # fmt: skip
_SHOWN = 25
_FIELDS = (*SETS, "since", "until")


@dataclass(frozen=True, slots=True)
class Log:
    """The log of the site. ``position``: number and hash of its last record; ``key``: the public one, "" for none."""

    position: Callable[[], tuple[int, str]]
    state: Callable[[], LogState]  # blocks
    status: Callable[[], Awaitable[Mapping[str, Any]]]
    key: str
    retention_days: int | None
    legal_hold: bool
    verify_hours: int | None
    verification: Verification
    reading: AuditReading
    export: AuditExport


class IntegrityPages:
    """`Part`: for who may audit."""

    def __init__(
        self, log: Log, projects: Sequence[str], clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._log, self._projects, self._clock = log, projects, clock
        self._may = may(Verb.AUDIT, [*projects, EVERY])

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Part`."""
        return (Entry("/integrity", "Integrity", self._may),)

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (
            Route("GET", "/integrity", self._shown, self._may),
            Route("POST", "/integrity/verify", self._verify, self._may),
            Route("POST", "/audit/export", self._export, self._may),
        )

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        log, visible = self._log, visit.caller.where(Verb.AUDIT)
        page = await log.reading.page(_notable(), visible, visit.peer)
        state, status, now = await asyncio.to_thread(log.state), await log.status(), self._clock()
        values: dict[str, Any] = {
            "log": log,
            "state": state,
            "position": log.position(),
            "age": _ago((now - state.signed.moment).total_seconds()) if state.signed is not None else "",
            "writing": status["checks"]["audit"],
            "sinks": sorted(status.get("audit_sinks", {}).items()),
            "last": log.verification.last,
            "running": log.verification.running,
            "notable": [told(line) for line in page.lines],
            "everything": visible is None,
            "forms": sorted(FORMS),
            "types": sorted(WORDS.items(), key=lambda pair: pair[1].casefold()),
            "projects": sorted(self._projects if visible is None else visible),
        }
        return visit.page("integrity", HTTPStatus.OK, **values)

    async def _verify(self, visit: Visit) -> web.StreamResponse:
        await self._log.verification.ask(visit.peer)
        return visit.go("/integrity")

    async def _export(self, visit: Visit) -> web.StreamResponse:
        asked = MultiDict((name, visit.form[name].strip()) for name in _FIELDS if visit.form.get(name, "").strip())
        try:
            selection = question_of(asked).selection
            form = visit.form.get("format", "")
            begun = await self._log.export.begin(selection, visit.caller.where(Verb.AUDIT), visit.peer, form)
        except BadQuestion as bad:
            raise Refusal(HTTPStatus.BAD_REQUEST, "", f"That cannot be asked: {bad}.") from None
        except KeyError:
            raise Refusal(HTTPStatus.BAD_REQUEST, "", "There is no such format.") from None
        except Unsigned as error:
            raise Refusal(HTTPStatus.CONFLICT, "", f"Nothing is handed out: {error}.") from None
        response = web.StreamResponse(headers=HEADERS)
        response.content_type = "application/gzip"
        response.headers["Content-Disposition"] = f'attachment; filename="{begun.name}"'
        await response.prepare(visit.request)
        async for piece in begun.pieces:
            await response.write(piece)
        return response


def _notable() -> Question:
    question = question_of(MultiDict(("type", name) for name in sorted(_NOTABLE)))
    return replace(question, limit=_SHOWN)


def _ago(seconds: float) -> str:
    for unit, words in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{int(seconds // unit)} {words} ago"
    return f"{max(0, int(seconds))} seconds ago"
