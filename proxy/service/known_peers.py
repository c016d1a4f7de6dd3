"""A peer of the configuration, and the conditions by which it is known. Decisions only: no sockets, no files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID

from proxy.service.callers import EVERY, Grants, Verb

#: How far a peer got, in the order of `KnownPeer.unmet`.
UNMET = ("unknown-calling-ae", "wrong-address", "no-certificate", "wrong-certificate")
_Named = x509.DNSName | x509.RFC822Name | x509.UniformResourceIdentifier | x509.IPAddress


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """A peer of the configuration; what is empty is no condition. ``digests``: SHA-256 of certificates, hexadecimal."""

    name: str
    grants: Grants
    ae_titles: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    digests: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def unmet(self, calling: str, address: str, certificate: bytes | None) -> str:
        """The first condition that does not hold, as a word for the audit trail; "" where all do."""
        if self.ae_titles and calling not in self.ae_titles:
            return "unknown-calling-ae"
        if self.networks and not _inside(address, self.networks):
            return "wrong-address"
        if (self.digests or self.names) and not certificate:
            return "no-certificate"
        if self.digests and hashlib.sha256(certificate or b"").hexdigest() not in self.digests:
            return "wrong-certificate"
        if self.names and not self.names & names_of(certificate or b""):
            return "wrong-certificate"
        return ""

    def verbs(self, project: str) -> frozenset[Verb]:
        """What the peer may do in ``project``; a destination of C-MOVE (it has a colon) is granted by name alone."""
        return self.grants.get(project, frozenset()) | self.grants.get("" if ":" in project else EVERY, frozenset())


def names_of(certificate: bytes) -> frozenset[str]:
    """The names in Subject Alternative Name of a certificate (DER), or its common name where there is none (RFC 6125).

    In lower case; nothing of one that cannot be read.
    """
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        try:
            found = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            common = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            return frozenset(str(name.value).lower() for name in common)
        return frozenset(str(name.value).lower() for name in found if isinstance(name, _Named))
    except ValueError:
        return frozenset()


def _inside(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)
