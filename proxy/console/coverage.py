"""Devices: which ones send, what answers for what they burn into pixels, what is held of them, and what to do.

Counts by manufacturer, model, modality and SOP class: no station, no serial number, no patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from proxy.console.frame import Entry, Route, Visit
from proxy.console.refusal import Refusal
from proxy.console.rules import reads_rules
from proxy.errors import Reason
from proxy.service.callers import Caller
from proxy.service.coverage import HELD, Covered
from proxy.service.held_words import advice_on

#: rows on a page
MOST = 100
#: part of an answer → what it means
_WORDS = {
    "rule": "device rule",
    "regions": "ultrasound regions",
    "full": "read for text in full",
    "screen": "screened for text",
    "unseen": "not looked at",
    "none": "nothing to look at",
    HELD: "held",
}
#: answer → what is to be done
_ADVICE = {
    "rule": "Nothing: a device rule answers for all text.",
    "none": "Nothing: there are no pixels in which text is likely.",
    "unseen": "Nobody looks. Make sure that this device burns nothing in, or write a device rule.",
}
_READ = "Text that is found is blanked. A device rule is surer and faster: look at one in a dry run, then write it."
_PARTLY = "The device rule does not answer for all text, so the rest is read. Nothing has to be done."
_OTHERS = "Too many different devices: what else came is counted here as one."


class Found(Protocol):
    """`proxy.service.coverage.Coverage`."""

    async def of(self, project: str) -> Sequence[Covered]:
        """Its devices. `Unavailable`."""
        ...


class CoveragePage:
    """One project's devices at a time."""

    def __init__(self, coverage: Found, projects: Sequence[str]) -> None:
        self._coverage, self._every = coverage, tuple(projects)

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Part`."""
        return (Entry("/coverage", "Devices", self._may),)

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (Route("GET", "/coverage", self._shown, self._may),)

    def _may(self, caller: Caller) -> bool:
        return bool(self._projects(caller))

    def _projects(self, caller: Caller) -> list[str]:
        return [name for name in self._every if reads_rules(caller, name)]

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        projects = self._projects(visit.caller)
        project = visit.request.query.get("project", projects[0])
        if project not in projects:
            raise Refusal(HTTPStatus.NOT_FOUND, "no-such-project", "There is no such project.")
        found = await self._coverage.of(project)
        said = visit.request.query.get("start", "0")
        start = int(said) if said.isascii() and said.isdigit() and len(said) < 6 else 0
        rows = [_row(each) for each in found[start : start + MOST]]
        return visit.page(
            "coverage",
            project=project,
            projects=projects,
            rows=rows,
            start=start,
            most=MOST,
            devices=len(found),
            instances=sum(each.instances for each in found),
            held=sum(sum(each.held.values()) for each in found),
            unruled=sum(not each.ruled and each.answer != "none" for each in found),
        )


def _row(each: Covered) -> dict[str, object]:
    last = datetime.fromtimestamp(each.last, UTC).replace(microsecond=0)
    device = each.device
    return {
        "device": " ".join(filter(None, (device.manufacturer, device.model))) or "(not named)",
        "modality": device.modality or "–",
        "sop_class": each.sop_class or "(unknown)",
        "instances": each.instances,
        "held": ", ".join(f"{count} {reason}" for reason, count in each.held.items()) or "–",
        "answer": " + ".join(_WORDS.get(part, part) for part in each.answer.split(" + ")),
        "good": each.answer in ("rule", "none"),
        "bad": each.answer == HELD,
        "stamp": last.isoformat(),
        "last": f"{last:%Y-%m-%d %H:%M}",
        "todo": todo(each),
    }


def todo(each: Covered) -> str:
    """What an engineer does about a device."""
    if each.device.manufacturer.startswith("(other devices"):
        return _OTHERS
    if each.answer == HELD:
        return _held(each.reason)
    return _ADVICE.get(each.answer, _PARTLY if each.ruled else _READ)


def _held(reason: str) -> str:
    """In the words of the quarantine; a code that is none of ours was written by another version."""
    if reason not in frozenset(Reason):
        return "See what the quarantine says of it."
    words = advice_on(Reason(reason)).todo.replace("`", "")
    return f"{words[:1].upper()}{words[1:]}."
