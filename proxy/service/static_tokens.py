"""Tokens that this site makes itself, 256 random bits each, of which only the SHA-256 is kept; and client certificates.

With so many random bits a slow hash would add nothing: there is no dictionary to try. No files and no HTTP here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence

from proxy.service.callers import CERTIFICATE, Caller, StoredToken, Unknown
from proxy.service.events import callers_changed
from proxy.service.ports import AuditTrail

#: What a token of ours begins with: people, and programs that search for leaked secrets, know it by that.
PREFIX = "veil_"
_BYTES = 32
_SHAPE = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """A token that nobody has."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def digest_of(token: str) -> str:
    """What is kept of ``token``: SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


class StaticCallers:
    """Those whose tokens ``read`` gives; who they are now is recorded when that is another than before."""

    def __init__(
        self,
        read: Callable[[], Sequence[StoredToken]],
        audit: AuditTrail,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``read`` is called for every token, so that a revoked one is refused at once; it may raise `CannotJudge`."""
        self._read, self._audit, self._clock = read, audit, clock
        self._recorded: tuple[StoredToken, ...] = ()
        self._changing = asyncio.Lock()

    def claims(self, token: str) -> bool:
        """See `Callers.claims`."""
        return token.startswith((PREFIX, CERTIFICATE))

    async def caller(self, token: str) -> Caller:
        """See `Callers.caller`. Every stored token is compared, each in constant time."""
        stored, certificate = await self._current(), token.startswith(CERTIFICATE)
        kind = "certificate" if certificate else "token"
        if not certificate and not _SHAPE.fullmatch(token):
            raise Unknown("malformed-token")
        digest = token.removeprefix(CERTIFICATE) if certificate else digest_of(token)
        same = [hmac.compare_digest(each.sha256, digest) for each in stored]
        found = [each for each, equal in zip(stored, same, strict=True) if equal and each.certificate == certificate]
        if not found:
            raise Unknown(f"unknown-{kind}")
        if found[0].expires is not None and self._clock() >= found[0].expires:
            raise Unknown(f"expired-{kind}")
        return Caller(f"{kind}:{found[0].name}", found[0].grants)

    async def _current(self) -> Sequence[StoredToken]:
        """No record of who may call now, nobody is let in."""
        if tuple(self._read()) != self._recorded:
            async with self._changing:
                now = tuple(self._read())
                if now != self._recorded:
                    await self._audit.record(callers_changed(self._recorded, now))
                    self._recorded = now
        return self._recorded
