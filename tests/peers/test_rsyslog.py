"""rsyslog of Debian with TLS, certificates of `veil certs dev`: it receives each record, valid by PS3.15 A.5.

Stopped, killed and started again, it misses nothing, and nobody who records waits for it.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from proxy.audit.forward import Forwarder
from proxy.audit.sink_syslog import SyslogTls
from proxy.audit.trail import AuditLog
from proxy.commands.certs import certs
from proxy.config_tls import ClientTls
from proxy.service.ports import AuditEvent
from proxy.tls import tls_of
from tests.audit.formats.records import EVENTS, NASTY

pytestmark = pytest.mark.peer
TRIALS = int(os.environ.get("VEIL_TRIALS", "4"))
SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).parents[1] / "data" / "dicom-audit-message.rng"))

#: Without a queue of its own, so that what it has read is in the file
CONFIG = """
global(DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="{pki}/ca.pem" maxMessageSize="64k"
       DefaultNetstreamDriverCertFile="{pki}/server.pem" DefaultNetstreamDriverKeyFile="{pki}/server.key")
main_queue(queue.type="direct")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
template(name="fields" type="string" string="%pri%\\t%app-name%\\t%msgid%\\t%structured-data%\\t%msg%\\n")
ruleset(name="audit" queue.type="direct") {{ action(type="omfile" file="{folder}/received" template="fields") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="audit" SupportOctetCountedFraming="on")
"""


class Rsyslog:
    """One rsyslogd on loopback that writes what it receives into a file."""

    def __init__(self, program: Path, folder: Path, port: int) -> None:
        self.folder, self.port, self._program = folder, port, program
        made = CliRunner().invoke(certs, ["dev", str(folder / "pki")])
        assert made.exit_code == 0, made.output
        text = CONFIG.format(pki=folder / "pki", folder=folder, port=port)
        (folder / "rsyslog.conf").write_text(text)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it listens."""
        command = [self._program, "-n", "-f", self.folder / "rsyslog.conf", "-i", self.folder / "pid"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError("rsyslogd does not listen")

    def send(self, what: int) -> None:
        """A signal."""
        assert self.process is not None
        self.process.send_signal(what)
        if what in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait(10)

    def received(self) -> list[list[str]]:
        """The fields of each message, as rsyslog parsed them."""
        path = self.folder / "received"
        text = path.read_text("utf-8") if path.exists() else ""
        return [line.split("\t") for line in text.splitlines()]

    def numbers(self) -> list[int]:
        """The records that it has."""
        return [int(re.fullmatch(r'\[meta sequenceId="(\d+)"\]', fields[3])[1]) for fields in self.received()]


@pytest.fixture
def rsyslog(program: Callable[[str], Path], free_port: Callable[[], int], tmp_path: Path) -> Iterator[Rsyslog]:
    """A running rsyslogd."""
    path = program("rsyslogd")
    there = Rsyslog(path, tmp_path, free_port())
    there.start()
    yield there
    if there.process is not None and there.process.poll() is None:
        there.send(signal.SIGCONT)
        there.send(signal.SIGKILL)


def forwarding(there: Rsyslog, log: AuditLog, seconds: float = 0.5) -> Forwarder:
    """A sink to it that proves itself with a client certificate."""
    pki = there.folder / "pki"
    tls = ClientTls(ca_file=pki / "ca.pem", certificate_file=pki / "modality.pem", key_file=pki / "modality.key")
    outlet = SyslogTls("127.0.0.1", there.port, "dicom", "veil-host", 8192, tls_of(tls), patience=1.0)
    outlet.seconds = seconds
    audit, cursors = there.folder / "audit", there.folder / "cursors"
    sink = Forwarder("siem", audit, cursors, lambda: log.position.seq, outlet, backoff=0.1)
    sink.start()
    return sink


async def level(sink: Forwarder, seconds: float = 30.0) -> None:
    """Wait until it has confirmed everything."""
    async with asyncio.timeout(seconds):
        while sink.status().lag_records:
            await asyncio.sleep(0.05)


async def test_each_record_is_one_valid_message(rsyslog: Rsyslog) -> None:
    log = AuditLog(rsyslog.folder / "audit", "veil")
    await log.open()
    hostile = [
        AuditEvent("denied", "failure", "", {"transport": "dimse", "calling_ae": each, "address": each}, reason=each)
        for each in NASTY
    ]
    await log.record(*EVENTS, *hostile)
    sink = forwarding(rsyslog, log)
    await level(sink)
    sink.stop(5)
    await log.close()
    assert rsyslog.numbers() == list(range(1, len(EVENTS) + len(hostile) + 1))
    for fields, event in zip(rsyslog.received(), [*EVENTS, *hostile], strict=True):
        priority, name, message_id, _, message = fields
        assert (name, message_id) == ("veil", "DICOM+RFC3881")
        assert priority == ("85" if event.outcome == "success" else "84")
        root = etree.fromstring(message.strip())
        assert SCHEMA.validate(root), SCHEMA.error_log.last_error


async def test_stopped_killed_and_back_it_misses_nothing(rsyslog: Rsyslog) -> None:
    log = AuditLog(rsyslog.folder / "audit", "veil")
    await log.open()
    sink = forwarding(rsyslog, log)
    slowest = 0.0
    for what in (None, signal.SIGSTOP, signal.SIGCONT, signal.SIGSTOP, signal.SIGKILL):
        if what is not None:
            rsyslog.send(what)
        for n in range(200):
            began = time.monotonic()
            await log.record(AuditEvent("received", project="research", object={"kind": "instance", "size": n}))
            slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(1.0 if what == signal.SIGSTOP else 0.5)
    assert sink.status().lag_records > 0
    rsyslog.start()
    await level(sink)
    sink.stop(5)
    await log.close()
    found = rsyslog.numbers()
    assert sorted(set(found)) == list(range(1, log.position.seq + 1))
    assert slowest < 1.0, "somebody waited for a receiver"
    again = len(found) - len(set(found))
    assert again <= 3 * log.position.seq, f"{again} records arrived again"


@pytest.mark.timeout(90 + 5 * TRIALS)
async def test_nobody_waits_for_rsyslog_however_often_it_stops_or_dies(rsyslog: Rsyslog) -> None:
    log = AuditLog(rsyslog.folder / "audit", "veil")
    await log.open()
    sink, slowest = forwarding(rsyslog, log, 0.05), 0.0
    for number in range(TRIALS):
        what = (signal.SIGSTOP, signal.SIGKILL)[number % 2]
        rsyslog.send(what)
        for _ in range(5):
            began = time.monotonic()
            await log.record(AuditEvent("received", project="research"), AuditEvent("held", "failure", "research"))
            slowest = max(slowest, time.monotonic() - began)
        assert log.healthy
        await asyncio.sleep(0.1 * (number % 3))
        rsyslog.send(signal.SIGCONT) if what == signal.SIGSTOP else rsyslog.start()
        await level(sink)
    sink.stop(5)
    await log.close()
    print(f"{TRIALS} trials, {log.position.seq} records, the slowest took {slowest:.3f} s")
    assert set(rsyslog.numbers()) == set(range(1, log.position.seq + 1))
    assert slowest < 2.0, "somebody waited for a receiver"


async def test_who_has_no_certificate_sends_nothing(rsyslog: Rsyslog) -> None:
    log = AuditLog(rsyslog.folder / "audit", "veil")
    await log.open()
    await log.record(AuditEvent("received"))
    tls = tls_of(ClientTls(ca_file=rsyslog.folder / "pki" / "ca.pem"))
    outlet = SyslogTls("127.0.0.1", rsyslog.port, "dicom", "veil-host", 8192, tls, patience=1.0)
    outlet.seconds = 0.0
    sink = Forwarder("siem", rsyslog.folder / "audit", rsyslog.folder / "cursors", lambda: 1, outlet, backoff=0.1)
    sink.start()
    async with asyncio.timeout(10):
        while sink.status().state != "down":
            await asyncio.sleep(0.05)
    assert (sink.status().confirmed, rsyslog.received()) == (0, [])
    await asyncio.to_thread(sink.stop, 1)
    await log.close()
