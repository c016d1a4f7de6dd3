"""The part of veil.yaml about peers over DIMSE: who they are, by what they are known, what they may do where.

Models and what must be consistent between them and `dimse`; `proxy.service.peers` decides by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from proxy.config_auth import LOOPBACK, Networks
from proxy.config_tls import DimseTls
from proxy.config_types import AeTitle, Name, Strict

#: As a project: every one of the site.
_EVERY = "*"


def _digest(value: str) -> str:
    plain = value.replace(":", "").lower()
    if len(plain) != 64 or set(plain) - set("0123456789abcdef"):
        raise ValueError(
            "a SHA-256 of a certificate has 64 hexadecimal digits: openssl x509 -noout -fingerprint -sha256"
        )
    return plain


Fingerprint = Annotated[str, AfterValidator(_digest)]
Verbs = Annotated[list[Literal["store", "search", "retrieve"]], Field(min_length=1)]
Granted = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z][a-z0-9-]{0,31})$")]


class Peer(Strict):
    """A modality, workstation or PACS that may associate. Every condition that stands here must hold, all together.

    Within one condition any of its values will do. ``certificate_names``: in Subject Alternative Name, or the common
    name where there is none. ``upstreams``: those whose PACS this is, where it sends to us by C-MOVE.
    """

    ae_titles: list[AeTitle] = Field(default_factory=list)
    addresses: Networks = Field(default_factory=list)
    certificate_sha256: list[Fingerprint] = Field(default_factory=list)
    certificate_names: list[Annotated[str, Field(min_length=1, max_length=253)]] = Field(default_factory=list)
    projects: dict[Granted, Verbs] = Field(default_factory=dict)
    upstreams: list[Name] = Field(default_factory=list)

    @property
    def by_certificate(self) -> bool:
        """Whether the peer must show one."""
        return bool(self.certificate_sha256 or self.certificate_names)

    @model_validator(mode="after")
    def _somebody(self) -> Peer:
        if not (self.ae_titles or self.addresses or self.by_certificate):
            raise ValueError(
                "say by what this peer is known: ae_titles, addresses, certificate_sha256, certificate_names"
            )
        if any(network.prefixlen == 0 for network in self.addresses):
            raise ValueError("addresses: a network of everybody is no condition")
        if not (self.projects or self.upstreams):
            raise ValueError("projects: this peer may do nothing; say what, such as {research: [store]}")
        return self


def peers(
    found: Mapping[str, Peer], host: str, tls: DimseTls | None, projects: Iterable[str], destinations: Iterable[str]
) -> Iterator[str]:
    """What is wrong with the ``peers`` section; ``destinations``: upstreams that send to us by C-MOVE."""
    known, senders = {*projects, _EVERY}, set(destinations)
    asked = tls is not None and tls.client_certificates != "none"
    for name, peer in found.items():
        where = f"peers.{name}"
        for project in peer.projects:
            if project not in known:
                yield f"{where}.projects: no project is called '{project}'"
        for upstream in peer.upstreams:
            if upstream not in senders:
                yield f"{where}.upstreams: no upstream with retrieve: move is called '{upstream}'"
        if peer.by_certificate and not asked:
            yield f"{where}: it is known by its certificate, and dimse.tls asks nobody for one"
        if host not in LOOPBACK and not (peer.addresses or peer.by_certificate):
            yield (
                f"{where}: an AE title is a name that anybody on the network can give; "
                "add addresses, certificate_sha256 or certificate_names"
            )
