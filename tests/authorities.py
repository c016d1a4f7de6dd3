"""Authorities and certificates of the tests, made once a process by what `veil certs dev` makes them with."""

from __future__ import annotations

import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.commands.certs_dev import Pair, authority, issue

LOCAL = ("localhost", "127.0.0.1")


@lru_cache(maxsize=4)
def root(number: int) -> Pair:
    """Authority ``number``."""
    return authority(30)


@lru_cache(maxsize=32)
def leaf(name: str, names: tuple[str, ...] = LOCAL, signer: int = 0, **more: Any) -> Pair:
    """A certificate of authority ``signer``."""
    return issue(root(signer), name, names, 10, **more)


def keep(folder: Path, name: str, pair: Pair) -> dict[str, str]:
    """``pair`` in files, as the configuration names them. Files that are there are replaced."""
    for suffix, text in (("pem", pair.certificate_pem), ("key", pair.key_pem)):
        new = folder / f"{name}.{suffix}.new"
        new.write_bytes(text)
        new.chmod(0o600)
        new.rename(folder / f"{name}.{suffix}")
    return {"certificate_file": str(folder / f"{name}.pem"), "key_file": str(folder / f"{name}.key")}


def trust(folder: Path, *numbers: int) -> str:
    """A file of authorities."""
    path = folder / f"ca{''.join(map(str, numbers or (0,)))}.pem"
    path.write_bytes(b"".join(root(number).certificate_pem for number in numbers or (0,)))
    return str(path)


def revoked(*pairs: Pair) -> bytes:
    """What authority 0 has revoked."""
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateRevocationListBuilder(root(0).certificate.subject, now, now + datetime.timedelta(days=1))
    for pair in pairs:
        entry = x509.RevokedCertificateBuilder(pair.certificate.serial_number, now)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(root(0).key, SHA256()).public_bytes(Encoding.PEM)
