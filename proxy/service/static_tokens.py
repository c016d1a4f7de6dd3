"""Tokens that this site makes itself, 256 random bits each, of which only the SHA-256 is kept; and client certificates.

With so many random bits a slow hash would add nothing: there is no dictionary to try. No files and no HTTP here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence

from proxy.service.callers import CERTIFICATE, Caller, StoredToken, Unknown

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
        return token.startswith((PREFIX, CERTIFICATE))

    async def caller(self, token: str) -> Caller:
        """See `Callers.caller`. Every stored token is compared, each in constant time."""
        stored, certificate = self._read(), token.startswith(CERTIFICATE)
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
