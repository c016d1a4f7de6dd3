"""The crosswalk's translation drawer: pseudonym → original, for projects with a view. Values are sealed, row by row.

Row key = HKDF-SHA256(node key, "veil/v1/crosswalk"); AES-256-GCM with a random nonce. Associated data = project, key
epoch, kind and pseudonym, each with its length: a row that was moved or altered does not open. What is sealed is
padded, so that its length tells little. Originals exist in clear only in what `get` returns; nothing is logged.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proxy.errors import SealBroken
from proxy.store.database import Database
from proxy.store.schema import translation

#: What is translated. A patient's original is issuer, backslash (which no LO holds), Patient ID.
KINDS = ("study", "series", "instance", "patient", "accession")
_NONCE = 12
_PAD = 32
#: SQLite before 3.32 takes 999 parameters in a statement
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Key:
    """One row's name. ``kind``: of `KINDS`."""

    project: str
    epoch: int
    kind: str
    pseudonym: str


class Crosswalk:
    """The drawer in ``database``."""

    def __init__(self, database: Database, node_key: bytes) -> None:
        self._database = database
        self._aead = AESGCM(HKDF(SHA256(), 32, None, b"veil/v1/crosswalk").derive(node_key))

    async def put(self, originals: Mapping[Key, str]) -> None:
        """Remember ``originals``; durable when it returns. What is known already stays as it is."""

        def work(connection: sa.Connection) -> None:
            known = _rows(connection, originals)
            new = [key for key in originals if key not in known]
            if new:
                connection.execute(sa.insert(translation), [self._row(key, originals[key]) for key in new])

        if originals:
            await self._database.run(work)

    async def get(self, keys: Iterable[Key]) -> dict[Key, str]:
        """The originals of those ``keys`` that are known. `SealBroken` where a row was altered."""
        wanted = dict.fromkeys(keys)
        if not wanted:
            return {}
        rows = await self._database.run(lambda connection: _rows(connection, wanted))
        return {key: self._open(key, sealed) for key, sealed in rows.items()}

    def _row(self, key: Key, original: str) -> dict[str, object]:
        plain = original.encode("utf-8") + b"\0"
        plain += bytes(-len(plain) % _PAD)
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._aead.encrypt(nonce, plain, bound(key))
        names = {"project": key.project, "key_epoch": key.epoch, "kind": key.kind, "pseudonym": key.pseudonym}
        return {**names, "sealed": sealed}

    def _open(self, key: Key, sealed: bytes) -> str:
        try:
            plain = self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound(key))
        except (InvalidTag, ValueError):
            raise SealBroken("a row of the crosswalk was altered, or another key sealed it") from None
        return plain.rstrip(b"\0").decode("utf-8")


def bound(key: Key) -> bytes:
    """The associated data of a row: unambiguous, because every part carries its length."""
    parts = (key.project, str(key.epoch), key.kind, key.pseudonym)
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)


def _rows(connection: sa.Connection, keys: Iterable[Key]) -> dict[Key, bytes]:
    found: dict[Key, bytes] = {}
    groups: dict[tuple[str, int, str], list[str]] = {}
    for key in keys:
        groups.setdefault((key.project, key.epoch, key.kind), []).append(key.pseudonym)
    columns = translation.c
    for (project, epoch, kind), pseudonyms in groups.items():
        drawer = (columns.project == project, columns.key_epoch == epoch, columns.kind == kind)
        for chunk in _chunks(pseudonyms):
            query = sa.select(columns.pseudonym, columns.sealed).where(*drawer, columns.pseudonym.in_(chunk))
            for row in connection.execute(query):
                found[Key(project, epoch, kind, row.pseudonym)] = bytes(row.sealed)
    return found


def _chunks(items: list[str]) -> Iterator[list[str]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
