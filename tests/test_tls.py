"""TLS on real sockets: what is agreed on, who is let in, and that new files count for new connections."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.config_tls import ClientTls, DimseTls
from proxy.errors import ConfigError
from proxy.tls import Renewable, context_of, tls_of
from tests.authorities import keep, leaf, revoked, root, trust


def serving(folder: Path, **more: Any) -> DimseTls:
    return DimseTls(**{**keep(folder, "server", leaf("veil")), "ca_file": trust(folder), **more})


def asking(folder: Path, pair: Any = None, **more: Any) -> ClientTls:
    mine = keep(folder, "client", pair or leaf("modality", ("modality",)))
    return ClientTls(**{**mine, "ca_file": trust(folder), **more})


@asynccontextmanager
async def echo(tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Sends a line back, until the client goes. Yields the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(line)
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls, ssl_handshake_timeout=5 if tls else None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Line:
    """A connection, and whether it is one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext, host: str = "127.0.0.1") -> Line:
        line = cls(*await asyncio.open_connection(host, port, ssl=tls))
        await line.ping()
        return line

    async def ping(self) -> None:
        self.writer.write(b"ping\n")
        if await asyncio.wait_for(self.reader.readline(), 5) != b"ping\n":
            self.writer.close()
            raise ConnectionResetError("closed")  # with TLS 1.3 a client learns so that its certificate is not taken

    @property
    def tls(self) -> ssl.SSLObject:
        found = self.writer.get_extra_info("ssl_object")
        assert isinstance(found, ssl.SSLObject)
        return found

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await self.writer.wait_closed()


async def refused(port: int, tls: ssl.SSLContext) -> None:
    with pytest.raises((OSError, ssl.SSLError)):
        await (await Line.open(port, tls)).close()


async def test_both_sides_show_a_certificate_and_agree_on_the_newest_version(tmp_path: Path) -> None:
    async with echo(tls_of(serving(tmp_path))) as port:
        line = await Line.open(port, tls_of(asking(tmp_path)))
        assert line.tls.version() == "TLSv1.3"
        assert line.tls.compression() is None
        assert line.tls.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(
            leaf("veil").certificate_pem.decode("ascii")
        )
        await line.close()


async def test_who_has_no_certificate_or_a_foreign_or_an_old_one_stays_outside(tmp_path: Path) -> None:
    none = ClientTls(ca_file=Path(trust(tmp_path)))
    foreign = asking(tmp_path, leaf("modality", ("modality",), signer=1))
    async with echo(tls_of(serving(tmp_path))) as port:
        for tls in (tls_of(none), tls_of(foreign)):
            await refused(port, tls)
        await refused(port, tls_of(asking(tmp_path, leaf("modality", ("modality",), late=True))))
    async with echo(tls_of(serving(tmp_path, client_certificates="optional"))) as port:
        await (await Line.open(port, tls_of(none))).close()
        await refused(port, tls_of(asking(tmp_path, leaf("modality", ("modality",), signer=1))))


async def test_a_revoked_certificate_stays_outside(tmp_path: Path) -> None:
    (tmp_path / "crl.pem").write_bytes(revoked(leaf("modality", ("modality",))))
    async with echo(tls_of(serving(tmp_path, crl_file=tmp_path / "crl.pem"))) as port:
        await refused(port, tls_of(asking(tmp_path)))
        await (await Line.open(port, tls_of(asking(tmp_path, leaf("viewer"))))).close()


async def test_a_server_is_the_one_that_was_meant(tmp_path: Path) -> None:
    async with echo(tls_of(serving(tmp_path, **keep(tmp_path, "pacs", leaf("pacs", ("pacs.example.org",)))))) as port:
        await refused(port, tls_of(asking(tmp_path)))
        for more in ({"server_name": "pacs.example.org"}, {"check_name": False}):
            await (await Line.open(port, tls_of(asking(tmp_path, **more)))).close()
        await refused(port, tls_of(asking(tmp_path, server_name="other.example.org")))
        await refused(port, tls_of(asking(tmp_path, check_name=False, ca_file=trust(tmp_path, 1))))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("profile", ["bcp195", "modified", "tls13"])
async def test_nothing_old_or_weak_is_agreed_on(tmp_path: Path, profile: str) -> None:
    context = context_of(serving(tmp_path, profile=profile))
    suites = [suite for suite in context.get_ciphers() if suite["protocol"] == "TLSv1.2"]
    assert all(suite["name"].startswith("ECDHE-") and suite["aead"] for suite in suites)
    assert profile != "bcp195" or len(suites) == 6
    old = context_of(asking(tmp_path))
    old.set_ciphers("@SECLEVEL=0:ALL")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_2 if profile == "tls13" else ssl.TLSVersion.TLSv1_1
    cbc = context_of(asking(tmp_path))
    cbc.set_ciphers("@SECLEVEL=0:ECDHE+AES+SHA256:ECDHE+AES+SHA:AES128-GCM-SHA256")
    cbc.maximum_version = ssl.TLSVersion.TLSv1_2
    async with echo(tls_of(serving(tmp_path, profile=profile))) as port:
        await refused(port, old)
        await refused(port, cbc)
        await (await Line.open(port, tls_of(asking(tmp_path)))).close()
        plain = asyncio.open_connection("127.0.0.1", port)
        reader, writer = await plain
        writer.write(b"\x01\x00\x00\x00\x00\x04HIHI")  # an A-ASSOCIATE-RQ, in the clear
        assert await asyncio.wait_for(reader.read(100), 5) in (b"", b"\x15\x03\x01\x00\x02\x02\x46")  # at most an alert
        writer.close()


async def test_tls_to_a_port_without_it_fails(tmp_path: Path) -> None:
    async with echo(None) as port:
        with pytest.raises((OSError, ssl.SSLError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=tls_of(asking(tmp_path)), ssl_handshake_timeout=0.3)


def agreed(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLObject:
    """A handshake in memory, up to the first byte of the server; gives the client's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1", session=session)
    for end in (ours, theirs, ours, theirs):
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    theirs.write(b"x")
    assert ours.read(1) == b"x"
    with contextlib.suppress(ssl.SSLWantReadError):
        theirs.unwrap()  # in order: else the server forgets the session
    return ours


@pytest.mark.parametrize(("newest", "again"), [(ssl.TLSVersion.TLSv1_3, False), (ssl.TLSVersion.TLSv1_2, True)])
def test_no_session_outlives_the_files_it_was_judged_by(tmp_path: Path, newest: ssl.TLSVersion, again: bool) -> None:
    settings = serving(tmp_path)
    server, client = tls_of(settings), context_of(asking(tmp_path))
    client.options &= ~ssl.OP_NO_TICKET
    client.maximum_version = newest
    first = agreed(server, client, None)
    assert first.session is None or not first.session.has_ticket
    assert agreed(server, client, first.session).session_reused is again  # by its ID, which TLS 1.3 has not
    server.take(context_of(settings))
    assert not agreed(server, client, first.session).session_reused


@pytest.mark.parametrize("side", ["server", "client"])
async def test_handshakes_are_those_of_the_newest_files(tmp_path: Path, side: str) -> None:
    mine, theirs = serving(tmp_path), asking(tmp_path)
    server, client = tls_of(mine), tls_of(theirs)
    async with echo(server) as port:
        before = await Line.open(port, client)
        if side == "server":  # another certificate, of another authority
            keep(tmp_path, "server", leaf("veil", signer=1))
            server.take(context_of(mine))
            await refused(port, client)
            (tmp_path / "ca0.pem").write_bytes(root(1).certificate_pem)  # which the client trusts from now on
        else:  # whoever had been let in is not any more
            (tmp_path / "ca0.pem").write_bytes(root(1).certificate_pem)
            server.take(context_of(mine))
            await refused(port, client)
            (tmp_path / "ca0.pem").write_bytes(root(0).certificate_pem)
            keep(tmp_path, "client", leaf("modality", ("modality",), signer=1))
        client.take(context_of(theirs))
        await (await Line.open(port, client)).close()
        await before.ping()  # and what stands stays
        await before.close()


def test_threads_and_sockets_get_the_newest_too(tmp_path: Path) -> None:
    client = tls_of(asking(tmp_path, server_name="pacs.example.org"))
    newest = context_of(asking(tmp_path))
    client.take(newest)
    wrapped = client.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="127.0.0.1")
    assert wrapped.context is newest
    assert wrapped.server_hostname == "pacs.example.org"
    assert isinstance(client, Renewable)


@pytest.mark.parametrize(
    ("name", "text", "mode", "said"),
    [
        ("server.key", b"", 0o600, "no private key in PEM"),
        ("server.pem", b"", 0o600, "no certificate in PEM"),
        ("server.key", leaf("other").key_pem, 0o600, "not the key of the certificate"),
        ("server.key", None, 0o644, "others can read or change this key"),
        ("server.key", None, 0o660, "others can read or change this key"),
        ("ca0.pem", b"nothing", 0o600, "no certificates in PEM"),
        ("ca0.pem", revoked(), 0o600, "no certificates in PEM"),
        ("crl.pem", b"nothing", 0o600, "no revocation list"),
    ],
)
def test_files_that_are_no_good(tmp_path: Path, name: str, text: bytes | None, mode: int, said: str) -> None:
    (tmp_path / "crl.pem").write_bytes(revoked())
    tls = serving(tmp_path, crl_file=tmp_path / "crl.pem")
    context_of(tls)
    if text is not None:
        (tmp_path / name).write_bytes(text)
    (tmp_path / name).chmod(mode)
    with pytest.raises(ConfigError, match=said) as wrong:
        context_of(tls)
    assert name in wrong.value.where
    assert name not in wrong.value.problem
    (tmp_path / name).unlink()
    with pytest.raises(ConfigError, match="No such file"):
        context_of(tls)


def test_a_short_key_is_none(tmp_path: Path) -> None:
    from tests.deid.officers import certificate, pem, rsa_key

    keep(tmp_path, "server", leaf("veil"))
    (tmp_path / "server.pem").write_text(certificate(rsa_key(9, 1024)))
    (tmp_path / "server.key").write_bytes(pem(rsa_key(9, 1024)))
    named = {"certificate_file": tmp_path / "server.pem", "key_file": tmp_path / "server.key"}
    with pytest.raises(ConfigError, match=r"server\.pem: its key is too short"):
        context_of(ClientTls(**named))


def test_a_key_with_a_passphrase_asks_nobody(tmp_path: Path) -> None:
    from tests.deid.officers import ec_key, pem

    tls = serving(tmp_path)
    (tmp_path / "server.key").write_bytes(pem(ec_key(), b"secret"))
    with pytest.raises(ConfigError, match="without a passphrase"):
        context_of(tls)


def test_the_environment_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    assert context_of(serving(tmp_path)).keylog_filename is None
    assert not (tmp_path / "keys.log").exists()
