"""The use case *reconcile*: by study, whether everything that came is accounted for, and where it is.

Counts of arrivals are held against the rows of the queue and the entries of quarantine, which are counted anew each
time. Pseudonymous Study Instance UIDs; one that cannot be had is "". What was refused is of no study: nothing was
promised, and the sender keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.deid.profile import Policy
from proxy.deid.types import Original
from proxy.service.ports import HeldInstance, Peer
from proxy.store.study_rows import HELD, PURGED, REPLAYED, Study
from proxy.store.study_rows import Place as Place  # the console may not import the store

#: what can be asked for: all studies, those that do not add up, those with rows in one state
ALL, OPEN, WAITING, FAILED = SHOWN = ("", "open", "waiting", "failed")
#: who brings what was held: no arrival
_OPERATORS = frozenset({"cli", "console"})
_UID = re.compile(r"[0-9.]{1,64}")
#: studies that are counted in one transaction, and for one page: intake comes in between
_AT_ONCE, _MOST = 20, 1000


class Store(Protocol):
    """`proxy.store.studies.Studies`; every method may raise `Unavailable`."""

    async def kept(self, project: str, uid: str, entry: str, arrival: bool) -> None:
        """Durable when it returns."""
        ...

    async def found(self, projects: Sequence[str], uid: str, state: str, after: Place | None, most: int) -> list[Study]:
        """Those that came last first; ``state`` may let others through."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """Instances of a study at one destination. ``lacking``: never queued for it."""

    destination: str
    delivered: int
    waiting: int
    failed: int
    lacking: int


@dataclass(frozen=True, slots=True)
class Balance:
    """One study. ``received`` = ``again`` + ``released`` + ``held`` + ``purged``, or ``off`` by so many.

    ``forgotten``: rows were over for so long that they are gone, and the rest is no sum any more.
    ``missing``: entries that were held and are in quarantine no more, though nobody let them go.
    """

    project: str
    uid: str
    first_at: float
    last_at: float
    received: int
    again: int
    released: int
    held: int
    purged: int
    missing: int
    off: int
    forgotten: bool
    deliveries: tuple[Delivery, ...]

    @property
    def adds_up(self) -> bool:
        """Whether all that came is where it should be, or on its way. What is forgotten is not judged."""
        return self.forgotten or not (self.off or self.missing or any(each.lacking for each in self.deliveries))


@dataclass(frozen=True, slots=True)
class Page:
    """``next``: where to go on; None at the end."""

    balances: tuple[Balance, ...]
    next: Place | None


_MEANT: Mapping[str, Callable[[Balance], bool]] = {
    ALL: lambda balance: True,
    OPEN: lambda balance: not balance.adds_up,
    WAITING: lambda balance: any(each.waiting for each in balance.deliveries),
    FAILED: lambda balance: any(each.failed for each in balance.deliveries),
}


class Reconcile:
    """Of ``projects``: project → destinations. ``held``: what is in quarantine now."""

    def __init__(
        self,
        store: Store,
        held: Callable[[], Awaitable[Sequence[HeldInstance]]],
        pseudonym: Callable[[str, str], str],
        projects: Mapping[str, Sequence[str]],
    ) -> None:
        """``pseudonym``: of a Study Instance UID in a project; ValueError for what has none."""
        self._store, self._held, self._pseudonym, self._projects = store, held, pseudonym, projects

    async def count(self, project: str, entry: HeldInstance, original: Original | None, peer: Peer) -> None:
        """``entry`` has been sealed. What an operator brings again did not come again."""
        uid = self._ours(project, original.study_instance_uid) if original is not None else ""
        await self._store.kept(project, uid, entry.id, peer.transport not in _OPERATORS)

    async def page(
        self, projects: Sequence[str], uid: str = "", shown: str = ALL, after: Place | None = None, limit: int = 50
    ) -> Page:
        """At most ``limit`` studies of ``projects``, those that came last first; fewer where many do not count."""
        found: list[Balance] = []
        state = shown if shown in (WAITING, FAILED) else ""
        there: Collection[str] | None = None
        for _ in range(0, _MOST, _AT_ONCE):
            some = await self._store.found(projects, uid, state, after, _AT_ONCE)
            if there is None and any(HELD in study.entries.values() for study in some):
                there = {entry.id for entry in await self._held()}
            for study in some:
                after = study.place
                balance = balanced(study, there or (), self._projects.get(study.project, ()))
                if _MEANT[shown](balance):
                    found.append(balance)
                if len(found) >= limit:
                    return Page(tuple(found), after)
            if len(some) < _AT_ONCE:
                return Page(tuple(found), None)
        return Page(tuple(found), after)

    def _ours(self, project: str, uid: str) -> str:
        try:
            found = self._pseudonym(project, uid)
        except ValueError:
            return ""
        return found if _UID.fullmatch(found) else ""


def balanced(study: Study, there: Collection[str], destinations: Sequence[str]) -> Balance:
    """``there``: entries in quarantine; ``destinations``: those of the project now."""
    states = [HELD if entry in there else state for entry, state in study.entries.items()]
    missing = sum(state == HELD and entry not in there for entry, state in study.entries.items())
    gone = {state: sum(each == state for each in states) for state in (HELD, PURGED, REPLAYED)}
    accounted = study.instances + gone[HELD] + gone[PURGED]
    rows = {name: {"waiting": 0, "delivered": 0, "failed": 0} for name in destinations} | study.states
    return Balance(
        project=study.project,
        uid=study.uid,
        first_at=study.first_at,
        last_at=study.last_at,
        received=study.received,
        again=study.again,
        released=study.instances,
        held=gone[HELD] - missing,
        purged=gone[PURGED],
        missing=missing,
        off=study.received - study.again - accounted,
        forgotten=study.forgotten,
        deliveries=tuple(
            Delivery(name, s["delivered"], s["waiting"], s["failed"], study.instances - sum(s.values()))
            for name, s in sorted(rows.items())
            if name in destinations or s["waiting"] or s["failed"]
        ),
    )


def hidden(policy: Policy, uid: str) -> str:
    """The pseudonym of a UID; ValueError where it has none, or keeps it: what is held has not been judged."""
    if "rtn_uids" in policy.options:
        raise ValueError("UIDs are retained")
    return policy.pseudonyms().uid(uid)
