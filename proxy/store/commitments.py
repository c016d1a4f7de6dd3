"""Requests for storage commitment (PS3.4 J, PS3.18 13), kept over restarts. They name originals, so they are sealed.

Keys = HKDF-SHA256(node key, "veil/v1/commitment/..."); a transaction is found by an HMAC of its UID, its list of
instances is AES-256-GCM under a random nonce, bound to project and transaction. So is the transaction UID of a request
that is answered by a report (`proxy.store.commitment_reports`).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proxy.deid.pseudonym import hkdf
from proxy.errors import SealBroken
from proxy.store.database import Database
from proxy.store.schema import commitment, commitment_report

_NONCE = 12
#: (SOP Class UID, SOP Instance UID) as the sender knows them
Named = tuple[str, str]


class Commitments:
    """The requests in ``database``."""

    def __init__(self, database: Database, node_key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock
        self._finding = hkdf(node_key, "commitment/name")
        self._aead = AESGCM(hkdf(node_key, "commitment/list"))

    async def add(
        self, project: str, transaction: str, instances: Sequence[Named], titles: tuple[str, str] | None = None
    ) -> bool:
        """Remember a request, durably; False when ``transaction`` is known already, which then stays as it is.

        ``titles``: the AE titles of who asked and who was asked, when a report is owed.
        """
        name, now = self._name(project, transaction), self._clock()
        sealed = await asyncio.to_thread(self._seal, name, instances)
        row = {"project": project, "request": name, "asked_at": now, "sealed": sealed}
        owed = self._owed(row, transaction, titles) if titles is not None else None

        def work(connection: sa.Connection) -> bool:
            if connection.execute(_row(project, name)).first() is not None:
                return False
            connection.execute(sa.insert(commitment), [row])
            if owed is not None:
                connection.execute(sa.insert(commitment_report), [owed])
            return True

        return await self._database.run(work)

    async def get(self, project: str, transaction: str) -> list[Named] | None:
        """What was asked for, None for an unknown transaction. `SealBroken` where the row was altered."""
        name = self._name(project, transaction)
        row = await self._database.run(lambda connection: connection.execute(_row(project, name)).first())
        if row is None:
            return None
        return await asyncio.to_thread(lambda: [(kind, uid) for kind, uid in self.opened(name, bytes(row.sealed))])

    def opened(self, name: str, sealed: bytes) -> Any:
        """What was sealed for the request called ``name``; `SealBroken`."""
        try:
            return json.loads(self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode()))
        except (InvalidTag, ValueError):
            raise SealBroken("a request for storage commitment was altered, or another key sealed it") from None

    def _owed(self, row: dict[str, Any], transaction: str, titles: tuple[str, str]) -> dict[str, Any]:
        """A report of the request ``row``; the rest of a table's row."""
        requester, provider = titles
        kept = {
            "sealed": self._seal(report_name(row["request"]), transaction),
            "requester": requester,
            "provider": provider,
        }
        stands = {"state": "waiting", "settled_at": 0.0, "due_at": row["asked_at"], "attempts": 0, "last_code": ""}
        return row | kept | stands

    def _name(self, project: str, transaction: str) -> str:
        return hmac.digest(self._finding, f"{len(project)}:{project}{transaction}".encode(), "sha256").hex()

    def _seal(self, name: str, what: Any) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._aead.encrypt(nonce, json.dumps(what).encode(), name.encode())


def report_name(request: str) -> str:
    """What the transaction UID of a report is sealed for: it cannot stand in for the list of instances."""
    return f"{request}/report"


def _row(project: str, name: str) -> sa.Select[tuple[bytes]]:
    return sa.select(commitment.c.sealed).where(commitment.c.project == project, commitment.c.request == name)
