"""The parts of veil.yaml about where Veil listens, and what has to be so before the network may reach it.

Models and what must be consistent between them; `proxy.config` puts them into the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from proxy.config_auth import LOOPBACK, Admission, resolved
from proxy.config_peers import Peer
from proxy.config_tls import DimseTls, HttpTls, placed
from proxy.config_types import Port, Strict

_ELSE = "use 127.0.0.1, or set insecure_network: true behind a network you trust"
_STANDARD = "1.2.840.10008."


def _private(word: str) -> str:
    # PS3.5 9.1: no leading zero in a component; at most 64 characters
    if len(word) > 64 or not re.fullmatch(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*\.?", word):
        raise ValueError("a SOP class is named by its UID, or by a prefix of UIDs that ends in a dot")
    if word.startswith(_STANDARD) or (word.endswith(".") and _STANDARD.startswith(word)):
        raise ValueError("DICOM's own UIDs name no private SOP class")
    return word


class Dimse(Strict):
    """Where modalities connect. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: Port = 11112
    tls: DimseTls | None = None
    max_pdu: Annotated[int, Field(ge=4096, le=1 << 20)] = 131072
    associations: Annotated[int, Field(ge=1, le=1000)] = 50
    associations_per_address: Annotated[int, Field(ge=1, le=1000)] | None = None
    idle_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    private_sop_classes: list[Annotated[str, AfterValidator(_private)]] = Field(default_factory=list)


class Http(Admission):
    """Where DICOMweb is served, below ``/dicomweb/<project path>``."""

    host: str = "127.0.0.1"
    port: Port = 8042
    tls: HttpTls | None = None
    public_url: Annotated[str, StringConstraints(pattern=r"^https?://\S+[^/]$")] | None = None
    cors_origins: list[Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$")]] = Field(default_factory=list)
    metrics: bool = False
    viewer_dir: Path | None = None
    viewer_client_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    viewer_scope: Annotated[str, StringConstraints(pattern=r"^openid( \S+)*$")] = "openid"

    @model_validator(mode="after")
    def _sign_in(self) -> Http:
        if self.viewer_client_id is not None and (self.auth is None or self.auth.oidc is None):
            raise ValueError("viewer_client_id: people sign in with the provider of auth.oidc, and there is none")
        return self


def exposed(dimse: Dimse, http: Http, peers: Mapping[str, Peer]) -> Iterator[str]:
    """What keeps an address of the network from being listened on: it must be encrypted, and everybody known."""
    if dimse.host not in LOOPBACK:
        where = f"dimse.host: '{dimse.host}' is reachable from the network, and"
        if dimse.tls is None:
            yield f"{where} without dimse.tls Veil does not encrypt; add it, {_ELSE}"
        elif dimse.tls.client_certificates != "required":
            yield f"{where} whoever has no certificate is let in: set dimse.tls.client_certificates: required; {_ELSE}"
        elif not peers:
            yield f"{where} nobody is asked who they are: name the peers that may associate; {_ELSE}"
    if http.host not in LOOPBACK:
        where = f"http.host: '{http.host}' is reachable from the network, and"
        if http.tls is None:
            yield f"{where} without http.tls Veil does not encrypt; add it, {_ELSE}"
        elif http.auth is None and http.tls.client_certificates != "required":
            yield f"{where} nobody is asked who they are: set http.auth; {_ELSE}"


def dimse_at(dimse: Dimse, base: Path) -> Dimse:
    """``dimse`` with its paths relative to ``base``."""
    return dimse.model_copy(update={"tls": placed(dimse.tls, base)})


def http_at(http: Http, base: Path) -> Http:
    """``http`` with its paths relative to ``base``."""
    viewer = base / http.viewer_dir if http.viewer_dir is not None else None
    update = {"viewer_dir": viewer, "auth": resolved(http.auth, base), "tls": placed(http.tls, base)}
    return http.model_copy(update=update)
