"""Tokens that this site makes itself: 256 random bits each, of which only the SHA-256 is kept.

With so many random bits a slow hash would add nothing: there is no dictionary to try. No files and no HTTP here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence

from proxy.service.callers import Caller, StoredToken, Unknown

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
    """Those whose tokens ``read`` gives."""

    def __init__(self, read: Callable[[], Sequence[StoredToken]], clock: Callable[[], float] = time.time) -> None:
        """``read`` is called for every token, so that a revoked one is refused at once; it may raise `CannotJudge`."""
        self._read, self._clock = read, clock

    def claims(self, token: str) -> bool:
        """See `Callers.claims`."""
        return token.startswith(PREFIX)

    async def caller(self, token: str) -> Caller:
        """See `Callers.caller`. Every stored token is compared, each in constant time."""
        stored = self._read()
        if not _SHAPE.fullmatch(token):
            raise Unknown("malformed-token")
        digest = digest_of(token)
        found = [each for each in stored if hmac.compare_digest(each.sha256, digest)]
        if not found:
            raise Unknown("unknown-token")
        if found[0].expires is not None and self._clock() >= found[0].expires:
            raise Unknown("expired-token")
        return Caller(f"token:{found[0].name}", found[0].grants)
