"""Requests for storage commitment (PS3.4 J, PS3.18 13), kept over restarts. They name originals, so they are sealed.

Keys = HKDF-SHA256(node key, "veil/v1/commitment/..."); a transaction is found by an HMAC of its UID, its list of
instances is AES-256-GCM under a random nonce, bound to project and transaction.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proxy.deid.pseudonym import hkdf
from proxy.errors import SealBroken
from proxy.store.database import Database
from proxy.store.schema import commitment

_NONCE = 12
#: (SOP Class UID, SOP Instance UID) as the sender knows them
Named = tuple[str, str]


class Commitments:
    """The requests in ``database``."""

    def __init__(self, database: Database, node_key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock
        self._finding = hkdf(node_key, "commitment/name")
        self._aead = AESGCM(hkdf(node_key, "commitment/list"))

    async def add(self, project: str, transaction: str, instances: Sequence[Named]) -> bool:
        """Remember a request, durably; False when ``transaction`` is known already, which then stays as it is."""
        name = self._name(project, transaction)
        row = {"project": project, "request": name, "asked_at": self._clock(), "sealed": self._seal(name, instances)}

        def work(connection: sa.Connection) -> bool:
            if connection.execute(_row(project, name)).first() is not None:
                return False
            connection.execute(sa.insert(commitment), [row])
            return True

        return await self._database.run(work)

    async def get(self, project: str, transaction: str) -> list[Named] | None:
        """What was asked for, None for an unknown transaction. `SealBroken` where the row was altered."""
        name = self._name(project, transaction)
        row = await self._database.run(lambda connection: connection.execute(_row(project, name)).first())
        if row is None:
            return None
        sealed = bytes(row.sealed)
        try:
            plain = self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
        except (InvalidTag, ValueError):
            raise SealBroken("a request for storage commitment was altered, or another key sealed it") from None
        return [(kind, uid) for kind, uid in json.loads(plain)]

    def _name(self, project: str, transaction: str) -> str:
        return hmac.digest(self._finding, f"{len(project)}:{project}{transaction}".encode(), "sha256").hex()

    def _seal(self, name: str, instances: Sequence[Named]) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._aead.encrypt(nonce, json.dumps(list(instances)).encode(), name.encode())


def _row(project: str, name: str) -> sa.Select[tuple[bytes]]:
    return sa.select(commitment.c.sealed).where(commitment.c.project == project, commitment.c.request == name)
