"""Every TLS of a running proxy: made at the start, and made anew when its files change. Decides nothing about callers.

Files are looked at every few seconds and at ``veil reload``. Those that are no good leave the old in force, which is
said in the log and in the audit trail; no record, no change. Neither says a path.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificate

from proxy.config import Config
from proxy.config_audit import audit_tls
from proxy.config_tls import Tls, files_of
from proxy.errors import ConfigError, VeilError
from proxy.logs import get_logger
from proxy.service.events import certificates_changed
from proxy.service.ports import AuditTrail
from proxy.tls import Renewable, context_of, tls_of

_POLL_SECONDS = 5.0
_DAY = 86400.0
#: The log speaks of a certificate that ends within so many days.
_SOON = 21
Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(slots=True)
class _Kept:
    """One TLS, and its files: those in force, those seen last, those that were no good."""

    tls: Tls
    context: Renewable
    in_force: Signature
    seen: Signature
    refused: Signature = ()

    def quiet(self, now: Signature) -> bool:
        """Whether ``now`` is new, and nobody writes it any more: it was the same at the last look."""
        settled, self.seen = now == self.seen, now
        return settled and now not in (self.in_force, self.refused)


class Certificates:
    """TLS by its place in veil.yaml, such as ``dimse.tls``."""

    def __init__(self, found: Mapping[str, Tls], audit: AuditTrail, poll: float = _POLL_SECONDS) -> None:
        """``poll``: seconds between two looks at the files. `ConfigError` for files that are no good."""
        self._audit, self._poll = audit, poll
        self._kept = {where: _kept(tls) for where, tls in found.items()}
        for where, tls in found.items():
            _warn(where, tls)
        self._renewing = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    def get(self, where: str) -> ssl.SSLContext | None:
        """What to hand to a server or client, once; None where the document says nothing of TLS."""
        kept = self._kept.get(where)
        return kept.context if kept is not None else None

    def start(self) -> None:
        """Watch the files until `stop`."""
        if self._kept:
            self._watch = asyncio.create_task(self._watching())

    async def stop(self) -> None:
        """Watch no more."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None

    async def renew(self) -> None:
        """Take files that have changed, now. All or nothing: `ConfigError` leaves the old ones in force everywhere."""
        async with self._renewing:
            now = await self._look()
            await self._take({where: each for where, each in now.items() if each != self._kept[where].in_force})

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(self._poll)
            try:
                async with self._renewing:
                    now = await self._look()
                    await self._take({where: each for where, each in now.items() if self._kept[where].quiet(each)})
            except VeilError:  # said in `_take`, or the audit trail cannot be written: then the next round tries again
                continue

    async def _look(self) -> dict[str, Signature]:
        return {where: await asyncio.to_thread(_signature, kept.tls) for where, kept in self._kept.items()}

    async def _take(self, changed: Mapping[str, Signature]) -> None:
        made: dict[str, ssl.SSLContext] = {}
        for where, signature in changed.items():
            try:
                made[where] = await asyncio.to_thread(context_of, self._kept[where].tls)
            except ConfigError as error:
                self._kept[where].refused = signature
                get_logger("tls").error("certificates-refused", where=where, reason=error.problem)
                await self._audit.record(certificates_changed({where: ""}, error.problem))
                raise
        if made:
            await self._audit.record(certificates_changed({where: self._named(where) for where in made}))
        for where, context in made.items():
            self._kept[where].context.take(context)
            self._kept[where].in_force = changed[where]
            _warn(where, self._kept[where].tls)
            get_logger("tls").info("certificates-reloaded", where=where)

    def _named(self, where: str) -> str:
        ours = _ours(self._kept[where].tls)
        return ours.fingerprint(SHA256()).hex() if ours is not None else ""


def every_tls(config: Config) -> dict[str, Tls]:
    """Every TLS of the document by its place in it."""
    found: dict[str, Tls | None] = {"dimse.tls": config.dimse.tls, "http.tls": config.http.tls}
    places: dict[str, Mapping[str, object]] = {
        "destinations": config.destinations,
        "upstreams": config.upstreams,
        "move_destinations": config.move_destinations,
        "commitment_reports.requesters": config.commitment_reports.requesters,
        "clinical": config.clinical,
    }
    for place, named in places.items():
        for name, each in named.items():
            found[f"{place}.{name}.tls"] = getattr(each, "tls", None)  # an archive has none
    found |= dict(audit_tls(config.audit))
    return {where: tls for where, tls in found.items() if tls is not None}


def check_certificates(config: Config) -> Iterator[str]:
    """A line about each certificate of ours. `ConfigError` where a start would find files that are no good."""
    for where, tls in every_tls(config).items():
        context_of(tls)
        if (ours := _ours(tls)) is not None:
            yield f"{where}: certificate until {ours.not_valid_after_utc:%Y-%m-%d}"


def _warn(where: str, tls: Tls) -> None:
    ours = _ours(tls)
    if ours is not None and (left := (ours.not_valid_after_utc.timestamp() - time.time()) / _DAY) < _SOON:
        get_logger("tls").warning("certificate-ends", where=where, count=max(0, int(left)))


def _ours(tls: Tls) -> Certificate | None:
    """Our own certificate: the first of the chain."""
    if tls.certificate_file is None:
        return None
    try:
        return load_pem_x509_certificate(tls.certificate_file.read_bytes())
    except (OSError, ValueError):  # it was there a moment ago
        return None


def _kept(tls: Tls) -> _Kept:
    signature = _signature(tls)
    return _Kept(tls, tls_of(tls), signature, signature)


def _signature(tls: Tls) -> Signature:
    return tuple(_stat(path) for path in files_of(tls))


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
