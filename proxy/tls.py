"""TLS as PS3.15 B.12 wants it (BCP 195: RFC 8996, RFC 9325), made of the files that veil.yaml names.

A context that is handed out stays the same object for as long as the process runs, and each handshake takes the newest
files behind it: so a certificate is renewed without a restart, and connections that stand keep theirs. There are no
tickets, and no session outlives the files that it was judged by. No environment is read (no SSLKEYLOGFILE).
"""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path
from typing import Any

from cryptography.x509 import load_pem_x509_certificates

from proxy.config_tls import ClientTls, ServerTls, Tls
from proxy.errors import ConfigError

#: RFC 9325 4.2: forward secrecy and AEAD. Level 2: RSA from 2048 bits, curves from 224, no signatures with SHA-1
_GCM = ":".join(f"ECDHE-{key}-AES{gcm}" for gcm in ("256-GCM-SHA384", "128-GCM-SHA256") for key in ("ECDSA", "RSA"))
#: profile → the oldest version, the suites of TLS 1.2. Those of TLS 1.3 are OpenSSL's own: AES-GCM and ChaCha20.
#: B.13 forbids DHE where the length of its key cannot be set, and Python cannot.
_PROFILES = {
    "bcp195": (ssl.TLSVersion.TLSv1_2, f"{_GCM}:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"),
    "modified": (ssl.TLSVersion.TLSv1_2, f"{_GCM}:ECDHE-ECDSA-AES256-CCM:ECDHE-ECDSA-AES128-CCM"),
    "tls13": (ssl.TLSVersion.TLSv1_3, _GCM),
}
_OPTIONS = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
_VERIFY = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
#: what OpenSSL says of a certificate or key → what we say
_PROBLEMS = {
    "KEY_VALUES_MISMATCH": "this is not the key of the certificate",
    "EE_KEY_TOO_SMALL": "its key is too short (RSA from 2048 bits, EC from 256)",
    "CA_MD_TOO_WEAK": "it is signed with a hash that is broken",
}
#: A group may read a key (Debian's ssl-cert); nobody else may, and nobody but its owner may change it.
_TOO_OPEN = 0o037


class Renewable(ssl.SSLContext):
    """What asyncio and aiohttp are given. Its handshakes are those of the newest context."""

    def __init__(self, protocol: int, tls: Tls) -> None:
        """Made by `tls_of`. `ConfigError` as `context_of`."""
        self._tls, self._newest = tls, context_of(tls)
        self._name = tls.server_name if isinstance(tls, ClientTls) else None

    def take(self, newest: ssl.SSLContext) -> None:
        """From now on handshakes are those of ``newest``; whoever has had one is not touched."""
        self._newest = newest

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As of `ssl.SSLContext`; a configured name goes before that of the host."""
        return self._newest.wrap_bio(incoming, outgoing, server_side, self._name or server_hostname, session)

    def wrap_socket(self, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        """As of `ssl.SSLContext`."""
        if self._name:
            named["server_hostname"] = self._name
        return self._newest.wrap_socket(*arguments, **named)


def tls_of(tls: Tls) -> Renewable:
    """TLS of a port of ours, or towards a PACS. `ConfigError` for files that it cannot be made of."""
    return Renewable(ssl.PROTOCOL_TLS_SERVER if isinstance(tls, ServerTls) else ssl.PROTOCOL_TLS_CLIENT, tls)


def context_of(tls: Tls) -> ssl.SSLContext:
    """A context of the files as they are now. `ConfigError` where one is missing, unfit or open to others."""
    serving = isinstance(tls, ServerTls)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serving else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version, suites = _PROFILES[tls.profile]
    context.set_ciphers(f"@SECLEVEL=2:{suites}")
    context.options |= _OPTIONS
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an authority below the root can be trusted alone
    if isinstance(tls, ServerTls):
        context.num_tickets = 0
        context.verify_mode = _VERIFY[tls.client_certificates]
    else:
        context.check_hostname = tls.check_name
    if tls.certificate_file is not None and tls.key_file is not None:
        _show(context, tls.certificate_file, tls.key_file)
    if tls.ca_file is not None:
        _trust(context, tls.ca_file)
    elif not serving:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if tls.crl_file is not None:
        _load(context, tls.crl_file, "no revocation list (CRL) in PEM can be read from it")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        mode = os.stat(key).st_mode
        certificate.open("rb").close()
    except OSError as error:
        raise ConfigError(str(error.filename), error.strerror or "cannot be read") from None
    if not stat.S_ISREG(mode) or mode & _TOO_OPEN:
        raise ConfigError(str(key), "others can read or change this key", f"chmod 600 {key}")
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")  # asks nobody at a terminal
    except ssl.SSLError as error:
        where, problem = _unreadable(certificate, key)
        if error.reason in _PROBLEMS:
            where = key if error.reason == "KEY_VALUES_MISMATCH" else certificate
            problem = _PROBLEMS[error.reason]
        raise ConfigError(str(where), problem) from None
    except (OSError, ValueError) as error:
        raise ConfigError(str(key), getattr(error, "strerror", None) or "cannot be read") from None


def _unreadable(certificate: Path, key: Path) -> tuple[Path, str]:
    try:
        load_pem_x509_certificates(certificate.read_bytes())
    except (OSError, ValueError):
        return certificate, "no certificate in PEM can be read from it"
    return key, "no private key in PEM, without a passphrase, can be read from it"


def _trust(context: ssl.SSLContext, authorities: Path) -> None:
    nothing = "no certificates in PEM can be read from it"
    _load(context, authorities, nothing)
    if not context.cert_store_stats()["x509"]:
        raise ConfigError(str(authorities), nothing)


def _load(context: ssl.SSLContext, path: Path, nothing: str) -> None:
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise ConfigError(str(path), nothing) from None
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be read") from None
