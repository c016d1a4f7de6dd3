"""Signing in with a password, staying in by a session, signing out. Decisions and records; no HTTP, no files.

Attempts are limited by address and by name before any password is looked at. Wrong names and wrong passwords get the
same answer after the same work. No record, no session.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from proxy.service.callers import Caller, Unknown
from proxy.service.events import denied
from proxy.service.passwords import Passwords
from proxy.service.people import Account, accounts_changed, signed_in, signed_out, turned_away
from proxy.service.ports import AuditTrail, Peer
from proxy.service.rate import Rates
from proxy.service.sessions import Sessions

#: Attempts a second in the long run, and at once: of one address, for one name.
BY_ADDRESS, BY_NAME = (0.5, 20), (0.1, 10)
#: Refused requests of one address: each is a record.
REFUSED = (10.0, 100)
#: What is turned away for coming too often is recorded once in so many seconds of each address.
_SILENCE_SECONDS = 60


class TooOften(Exception):
    """``wait``: seconds after which another attempt is looked at."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"too many attempts, wait {wait} s")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody signed in."""

    account: Account
    caller: Caller


class Desk:
    """Where people sign in. ``read`` gives the accounts as they are now, and may raise `CannotJudge`."""

    def __init__(
        self,
        read: Callable[[], Sequence[Account]],
        sessions: Sessions,
        passwords: Passwords,
        audit: AuditTrail,
        by_address: Rates | None = None,
        by_name: Rates | None = None,
    ) -> None:
        self._read, self._sessions, self._passwords, self._audit = read, sessions, passwords, audit
        self._by_address, self._by_name = by_address or Rates(*BY_ADDRESS), by_name or Rates(*BY_NAME)
        self._strangers, self._said = Rates(*REFUSED), Rates(1 / _SILENCE_SECONDS, 1)
        self._recorded: tuple[Account, ...] = ()
        self._changing = asyncio.Lock()

    async def sign_in(self, name: str, password: str, peer: Peer) -> str:
        """The id of a new session. `Unknown`: wrong name or password; `TooOften`."""
        account = (await self._accounts()).get(name)
        if account is not None:
            peer = replace(peer, name=account.known_as)
        await self.in_time(peer, name)
        if not await self._passwords.match(account.password if account else None, password) or account is None:
            why = "wrong-name" if account is None else "wrong-password"
            await self._audit.record(turned_away(peer, why))
            raise Unknown(why)
        return await self.admit(account, peer)

    async def admit(self, account: Account, peer: Peer, seconds: float = math.inf) -> str:
        """The id of a new session of ``account``, which has been proven, of so many seconds at most."""
        await self._audit.record(signed_in(replace(peer, name=account.known_as)))
        return self._sessions.begin(account, seconds)

    async def guest(self, session_id: str, peer: Peer, use: bool = True) -> Guest | None:
        """Who is signed in with this session, with the roles of now; None for nobody (any more).

        Without ``use`` nobody came: a page that is open asks.
        """
        session, why = self._sessions.find(session_id, use)
        if session is None:
            return None
        account = await self._as_now(session.account)
        if why or account is None:
            self._sessions.end(session_id)
            named = replace(peer, name=session.account.known_as)
            await self._audit.record(signed_out(named, why or "account-changed"))
            return None
        return Guest(account, account.caller())

    async def sign_out(self, session_id: str, peer: Peer) -> None:
        """The session is over, also where that cannot be recorded."""
        session, _ = self._sessions.find(session_id)
        self._sessions.end(session_id)
        if session is not None:
            await self._audit.record(signed_out(replace(peer, name=session.account.known_as)))

    async def refuse(self, peer: Peer, why: str, project: str = "", verb: str = "") -> None:
        """Record that a request was not served; `TooOften`: it was not even recorded."""
        wait = self._strangers.take(peer.address)
        if wait:
            raise TooOften(wait)
        await self._audit.record(denied(peer, why, project, verb))

    async def _as_now(self, account: Account) -> Account | None:
        """None for an account that is gone, or has another password. Of a provider's nothing more is heard."""
        if account.kind != "user":
            return account
        now = (await self._accounts()).get(account.name)
        return now if now is not None and now.password == account.password else None

    async def in_time(self, peer: Peer, name: str | None = None) -> None:
        """Count an attempt, of ``name`` where one is tried: `TooOften`."""
        wait = self._by_address.take(peer.address)
        if not wait and name is not None:
            wait = self._by_name.take(hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest())
        if wait:
            if not self._said.take(peer.address):
                await self._audit.record(turned_away(peer, "too-often"))
            raise TooOften(wait)

    async def _accounts(self) -> dict[str, Account]:
        """By name. No record of who may sign in now, nobody is let in."""
        if tuple(self._read()) != self._recorded:
            async with self._changing:
                now = tuple(self._read())
                if now != self._recorded:
                    await self._audit.record(accounts_changed(self._recorded, now))
                    self._recorded = now
        return {each.name: each for each in self._recorded}
