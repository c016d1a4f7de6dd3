"""The rules of each project: which are in force, since when and by whom, what they say, how they changed.

Who may take those on disk into force (administrators of the whole site) finds the button here. Rules are read out of
files that others write; nothing is edited in a browser.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web

from proxy.console.frame import Entry, Route, Visit
from proxy.console.refusal import Refusal
from proxy.errors import ConfigError
from proxy.service.callers import EVERY, Caller, Verb
from proxy.service.effective_rules import Effective, EffectiveRules
from proxy.service.ports import Peer
from proxy.service.rules_history import REFUSED, Change, History

#: one of these is needed to see the rules of a project
_ANY = (Verb.OPERATE, Verb.ADMIN, Verb.AUDIT)
_WORDS = {"started": "Veil started", "rules-reloaded": "taken into force", "rules-refused": "refused"}
#: rows of history on a page
_MOST = 100


class Past(Protocol):
    """`RulesHistory`."""

    async def read(self) -> History:
        """All that is known by now."""
        ...


@dataclass(frozen=True, slots=True)
class Rulebook:
    """``reload`` takes the rules on disk: project → digest; `ConfigError` where they are not in order."""

    rules: EffectiveRules
    history: Past
    reload: Callable[[Peer], Coroutine[Any, Any, Mapping[str, str]]]


class RulesPages:
    """All rules at a glance, and those of one project."""

    def __init__(self, book: Rulebook) -> None:
        self._book = book

    @property
    def entries(self) -> Sequence[Entry]:
        """See `Part`."""
        return (Entry("/rules", "Rules", self._may),)

    @property
    def routes(self) -> Sequence[Route]:
        """See `Part`."""
        return (
            Route("GET", "/rules", self._listed, self._may),
            Route("POST", "/rules", self._reload, self._may),
            Route("GET", "/rules/{project}", self._shown, self._may),
        )

    def _may(self, caller: Caller) -> bool:
        return any(reads_rules(caller, project) for project in self._book.rules.projects())

    async def _listed(self, visit: Visit) -> web.StreamResponse:
        taken = "taken" in visit.request.query
        return await self._list(visit, "The rules on disk are in force now." if taken else "")

    async def _list(self, visit: Visit, done: str = "", problem: str = "") -> web.Response:
        history = await self._book.history.read()
        found = [self._book.rules.of(name) for name in self._book.rules.projects() if reads_rules(visit.caller, name)]
        status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
        rows = [(rules, in_force(history, rules)) for rules in found]
        reloads = Verb.ADMIN in visit.caller.verbs(EVERY)
        return visit.page("rules", status, rows=rows, reloads=reloads, done=done, problem=problem)

    async def _reload(self, visit: Visit) -> web.StreamResponse:
        visit.must(Verb.ADMIN, EVERY)
        # whoever leaves the page does not break off what has begun
        reloading = asyncio.ensure_future(self._book.reload(visit.peer))
        try:
            await asyncio.shield(reloading)
        except ConfigError as error:
            return await self._list(visit, problem=str(error))
        return visit.go("/rules?taken")

    async def _shown(self, visit: Visit) -> web.StreamResponse:
        rules = project_of(visit, self._book.rules)
        history = await self._book.history.read()
        everything = all(visit.caller.sees(name) for name in self._book.rules.projects())
        rows = [_row(change, rules.project, everything) for change in history.of(rules.project)[:_MOST]]
        tries = Verb.OPERATE in visit.caller.verbs(rules.project)
        since = in_force(history, rules)
        return visit.page("rules_project", rules=rules, since=since, rows=rows, whole=history.whole, tries=tries)


def reads_rules(caller: Caller, project: str) -> bool:
    """Whether the rules of ``project`` are shown to ``caller``."""
    return any(verb in caller.verbs(project) for verb in _ANY)


def project_of(visit: Visit, rules: EffectiveRules) -> Effective:
    """Of the project in the path; `Refusal` where it does not exist for the caller (404), or shows no rules (403)."""
    project = visit.request.match_info["project"]
    if project not in rules.projects() or not visit.caller.sees(project):
        raise Refusal(HTTPStatus.NOT_FOUND, "no-such-project", "There is no such project.")
    if not reads_rules(visit.caller, project):
        visit.must(Verb.OPERATE, project)
    return rules.of(project)


def in_force(history: History, rules: Effective) -> Mapping[str, str] | None:
    """When and by whom; None where the log does not say so any more."""
    found = history.since(rules.project, rules.digest)
    return {"moment": moment(found.moment), "stamp": found.moment, "who": found.who} if found is not None else None


def moment(stamp: str) -> str:
    """``2026-11-21 13:40:02 UTC`` for a moment of a record."""
    return f"{stamp[:10]} {stamp[11:19]} UTC"


def _row(change: Change, project: str, everything: bool) -> dict[str, str]:
    """``everything``: somebody sees every project, so that he may read why: it can be about any of them."""
    before, after = change.before.get(project, ""), change.after[project]
    why = change.why if everything else ("see the record" if change.why else "")
    same = change.type != REFUSED and before == after
    return {
        "seq": str(change.seq),
        "stamp": change.moment,
        "moment": moment(change.moment),
        "what": _WORDS.get(change.type, change.type) + (", the same rules" if same else ""),
        "refused": "yes" if change.type == REFUSED else "",
        "who": change.who,
        "before": before,
        "after": after,
        "why": why,
    }
