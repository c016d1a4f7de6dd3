"""The parts of veil.yaml about TLS (PS3.15 B.12, B.13): of ports that we listen on, towards PACSs that we ask.

Models and what must be consistent in them. `proxy.tls` makes TLS of them; nothing here opens a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, model_validator

from proxy.config_types import Strict

Certificates = Literal["required", "optional", "none"]
TlsProfile = Literal["bcp195", "modified", "tls13"]
_T = TypeVar("_T", bound="_Material")


class _Material(Strict):
    """Files (PEM) that TLS is made of; they are read again when they change."""

    ca_file: Path | None = None
    crl_file: Path | None = None
    profile: TlsProfile = "bcp195"

    @model_validator(mode="after")
    def _revoked_by_somebody(self) -> _Material:
        if self.crl_file is not None and self.ca_file is None:
            raise ValueError("crl_file: a revocation list is one of the authorities in ca_file; name them")
        return self


class ServerTls(_Material):
    """TLS of a port of ours. ``ca_file``: who vouches for client certificates."""

    certificate_file: Path
    key_file: Path
    client_certificates: Certificates

    @model_validator(mode="after")
    def _vouched_for(self) -> ServerTls:
        if self.client_certificates != "none" and self.ca_file is None:
            raise ValueError(
                f"client_certificates: {self.client_certificates} needs ca_file, the authorities that vouch for clients"
            )
        if self.client_certificates == "none" and self.ca_file is not None:
            raise ValueError("ca_file is for client certificates, and client_certificates: none asks for none")
        return self


class DimseTls(ServerTls):
    """TLS of `dimse`: both sides show a certificate, unless said otherwise."""

    client_certificates: Certificates = "required"


class HttpTls(ServerTls):
    """TLS of `http`: browsers have no certificate, unless said otherwise."""

    client_certificates: Certificates = "none"


class ClientTls(_Material):
    """TLS towards a PACS. ``ca_file``: who vouches for it, else the authorities that the system trusts."""

    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    check_name: bool = True

    @model_validator(mode="after")
    def _a_pair(self) -> ClientTls:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        if not self.check_name and (self.ca_file is None or self.server_name is not None):
            raise ValueError(
                "check_name: false needs a ca_file of this PACS alone, and no server_name: "
                "whoever these authorities vouch for is taken for it"
            )
        return self


Tls = ServerTls | ClientTls
_FILES = ("ca_file", "crl_file", "certificate_file", "key_file")


def files_of(tls: Tls) -> tuple[Path, ...]:
    """Every file that ``tls`` names."""
    return tuple(path for name in _FILES if (path := getattr(tls, name)) is not None)


def placed(tls: _T | None, base: Path) -> _T | None:
    """``tls`` with its paths relative to ``base``."""
    if tls is None:
        return None
    found = {name: base / path for name in _FILES if (path := getattr(tls, name, None)) is not None}
    return tls.model_copy(update=found)
