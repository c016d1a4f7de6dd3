"""Passwords as argon2id hashes (RFC 9106). A wrong name costs what a wrong password costs. Nothing here is logged.

Each check takes 64 MiB and some tens of milliseconds of a core, so only a few run at once, off the event loop.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 1024
_AT_ONCE = 2


def unfit(password: str, name: str) -> str:
    """Why ``password`` is none for the account ``name``; "" where it is one (NIST SP 800-63B 5.1.1.2: length alone)."""
    if len(password) < SHORTEST:
        return f"a password has {SHORTEST} characters or more"
    if len(password) > LONGEST:
        return f"a password has {LONGEST} characters or fewer"
    if name.casefold() in password.casefold() and len(password) < len(name) + SHORTEST:
        return "the password is little more than the name of the account"
    if len(set(password)) < 5:
        return "the password repeats a few characters"
    return ""


class Passwords:
    """Makes and checks hashes."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """``hasher``: with the costs; by default those that RFC 9106 recommends where memory is short."""
        self._hasher = hasher or PasswordHasher()
        self._nobodys = self.hashed(secrets.token_urlsafe(32))
        self._room = asyncio.Semaphore(_AT_ONCE)

    def hashed(self, password: str) -> str:
        """What is kept of ``password``: algorithm, costs, a new salt and the hash."""
        return self._hasher.hash(_same(password))

    async def match(self, encoded: str | None, password: str) -> bool:
        """Whether ``encoded`` was made of ``password``. None: nobody's, which takes as long and is False."""
        async with self._room:
            right = await asyncio.to_thread(self._verified, encoded or self._nobodys, password)
        return right and encoded is not None

    def _verified(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, _same(password[: LONGEST + 1]))
        except (VerificationError, InvalidHashError):
            return False


def _same(password: str) -> bytes:
    """One form for what keyboards write in several (NFKC)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
