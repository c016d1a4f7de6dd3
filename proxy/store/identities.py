"""The crosswalk's identity drawer: pseudonymous Patient ID → the original one, sealed so that its writer cannot read.

An entry is AES-256-GCM under a key drawn for it. That key is split (`proxy.store.shares`), each share is sealed to one
officer, then it is forgotten. Any two officers together can read, nobody else and none alone. Associated data =
project, key epoch, kind and pseudonym: an entry that was moved does not open. There is one entry a patient. When others
are officers than when it was written, it is written anew with the patient's next release.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proxy.errors import SealBroken
from proxy.store.crosswalk import Key, bound
from proxy.store.database import Database
from proxy.store.officers import Officer
from proxy.store.schema import identity
from proxy.store.shares import join, split

_PAD, _KEY, _NONCE = 64, 32, 12
_KNOWN = 100_000  # entries that are known to be on disk without asking


@dataclass(frozen=True, slots=True)
class Entry:
    """One sealed entry as it is told to officers. ``shares``: key id of an officer → x and the share, sealed to him."""

    key: Key
    sealed: str
    shares: Mapping[str, tuple[int, str]]

    @property
    def digest(self) -> str:
        """SHA-256 of the whole entry: approvals are of exactly one."""
        return hashlib.sha256(_packed(self)).hexdigest()

    def opened(self, shares: Mapping[int, bytes]) -> tuple[str, str]:
        """Issuer and Patient ID, from two shares; `SealBroken`."""
        sealed = bytes.fromhex(self.sealed)
        try:
            plain = AESGCM(join(shares)).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound(self.key))
            issuer, patient_id = json.loads(plain)
        except (InvalidTag, ValueError):
            raise SealBroken("these two shares do not open this entry") from None
        return issuer, patient_id


class Identities:
    """The drawer in ``database``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    async def put(self, key: Key, original: tuple[str, str], officers: Sequence[Officer]) -> None:
        """Remember ``original`` (issuer, Patient ID) for ``officers``; durable when it returns."""
        who = _together(officers)
        name = (key.project, key.pseudonym, who)
        if name in self._known or await self._database.run(lambda connection: _row(connection, key, who)) is not None:
            self._remember(name)
            return
        sealed = await asyncio.to_thread(lambda: _packed(seal(key, original, officers)))
        row = {"key_epoch": key.epoch, "officers": who, "sealed": sealed}

        def work(connection: sa.Connection) -> None:
            if _row(connection, key, who) is None:
                connection.execute(sa.delete(identity).where(*_named(key.project, key.pseudonym)))
                connection.execute(sa.insert(identity).values(project=key.project, pseudonym=key.pseudonym, **row))

        await self._database.run(work)
        self._remember(name)

    async def get(self, project: str, pseudonym: str) -> Entry | None:
        """The entry of one patient, still sealed."""
        query = sa.select(identity).where(*_named(project, pseudonym))
        row = await self._database.run(lambda connection: connection.execute(query).first())
        if row is None:
            return None
        return entry_of(Key(project, row.key_epoch, "patient", pseudonym), json.loads(row.sealed))

    def _remember(self, name: tuple[str, str, str]) -> None:
        self._known[name] = None
        self._known.move_to_end(name)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)


def seal(key: Key, original: tuple[str, str], officers: Sequence[Officer]) -> Entry:
    """``original`` for any two of ``officers``."""
    secret, nonce = secrets.token_bytes(_KEY), secrets.token_bytes(_NONCE)
    plain = json.dumps(original).encode()
    plain += b" " * (-len(plain) % _PAD)
    sealed = nonce + AESGCM(secret).encrypt(nonce, plain, bound(key))
    shares = zip(officers, split(secret, len(officers)), strict=True)
    made = {who.key_id: (x, who.seal(share, bound(key)).hex()) for x, (who, share) in enumerate(shares, 1)}
    return Entry(key, sealed.hex(), made)


def entry_of(key: Key, plain: Mapping[str, object]) -> Entry:
    """The entry of ``key`` from what `plain_of` made of it."""
    sealed, shares = plain["sealed"], plain["shares"]
    assert isinstance(sealed, str)
    assert isinstance(shares, dict)
    return Entry(key, sealed, {who: (int(x), str(share)) for who, (x, share) in shares.items()})


def plain_of(entry: Entry) -> dict[str, object]:
    """As JSON, without its key."""
    return {"sealed": entry.sealed, "shares": {who: list(share) for who, share in entry.shares.items()}}


def _packed(entry: Entry) -> bytes:
    return json.dumps(plain_of(entry), sort_keys=True).encode()


def _together(officers: Sequence[Officer]) -> str:
    return hashlib.sha256("".join(sorted(each.key_id for each in officers)).encode()).hexdigest()


def _named(project: str, pseudonym: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (identity.c.project == project, identity.c.pseudonym == pseudonym)


def _row(connection: sa.Connection, key: Key, who: str) -> object:
    here = (*_named(key.project, key.pseudonym), identity.c.key_epoch == key.epoch, identity.c.officers == who)
    return connection.execute(sa.select(identity.c.project).where(*here)).first()
