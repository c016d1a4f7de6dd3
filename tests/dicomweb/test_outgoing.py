"""https: only a server that the given authorities vouch for is spoken to."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proxy.dicomweb.outgoing import trusting
from proxy.dicomweb.upstream import DicomwebUpstream
from proxy.errors import ConfigError
from proxy.service.upstream import Question, UpstreamError


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed one for loopback, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day).add_extension(loopback, False)
    signed = builder.sign(key, hashes.SHA256())
    pem, private = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    encoding, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, encoding, plain))
    return pem, private


async def test_a_server_is_trusted_by_its_authority_only(tmp_path: Path) -> None:
    mine, key = certificate(tmp_path, "mine")
    other, _ = certificate(tmp_path, "other")
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(mine, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=served)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    good = DicomwebUpstream("clinic", url, {}, 1, 5.0, trusting(mine))
    assert await good.search(Question("study", {})) == []
    for bad in (DicomwebUpstream("clinic", url, {}, 1, 5.0, trusting(other)), DicomwebUpstream("clinic", url, {})):
        with pytest.raises(UpstreamError, match="Certificate"):
            await bad.search(Question("study", {}))
        await bad.close()
    await good.close()
    server.close()


def test_a_file_without_certificates(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(ConfigError):
            trusting(tmp_path / name)
