from __future__ import annotations

import asyncio
import gzip
import hashlib
from typing import Any
from unittest.mock import Mock

import pytest

from proxy.errors import AuditUnavailable, Reason, SpoolFull
from proxy.logs import only_known_fields

MIB = 1 << 20


def referenced(answer: dict[str, Any], tag: str = "00081199") -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.get(tag, {}).get("Value", [])]


def reasons(answer: dict[str, Any], tag: str = "00081198") -> list[int]:
    return [item["00081197"]["Value"][0] for item in answer.get(tag, {}).get("Value", [])]


async def test_all_stored_is_200_with_the_senders_uids(site) -> None:
    first, second = site.instance(SOPInstanceUID="1.2.3"), site.instance(SOPInstanceUID="1.2.4")
    status, answer, headers = await site.stow(site.multipart(first, second))
    assert status == 200
    assert headers["Content-Type"] == "application/dicom+json"
    assert headers["Server"] == "Veil"
    assert answer["00081190"] == {"vr": "UR"}
    assert referenced(answer) == ["1.2.3", "1.2.4"]
    assert answer["00081199"]["Value"][0]["00081150"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2"]
    assert "00081198" not in answer
    assert [r[1] for r in site.ingest.received] == [hashlib.sha256(d).hexdigest() for d in (first, second)]
    project, _, claimed, peer, _ = site.ingest.received[0]
    assert (project, claimed.study_instance_uid, peer.transport, peer.address) == (
        "research",
        "",
        "dicomweb",
        "127.0.0.1",
    )


async def test_some_failed_is_202(site) -> None:
    site.ingest.verdicts["1.2.4"] = Reason.TRUNCATED
    site.ingest.verdicts["1.2.5"] = Reason.BURNED_IN  # held, and accepted: stored as far as the sender is concerned
    bodies = [site.instance(SOPInstanceUID=f"1.2.{n}") for n in (3, 4, 5)]
    status, answer, _ = await site.stow(site.multipart(*bodies, b"not dicom at all"))
    assert status == 202
    assert referenced(answer) == ["1.2.3", "1.2.5"]
    assert referenced(answer, "00081198") == ["1.2.4"]
    assert reasons(answer) == [0xC000]
    assert reasons(answer, "0008119A") == [0xC000]


async def test_none_stored_is_409(site) -> None:
    site.ingest.held_answer = "refuse"
    verdicts = {"1.2.3": Reason.UNKNOWN_SOP_CLASS, "1.2.4": Reason.UNKNOWN_TRANSFER_SYNTAX, "1.2.5": Reason.BURNED_IN}
    site.ingest.verdicts |= verdicts
    status, answer, _ = await site.stow(site.multipart(*(site.instance(SOPInstanceUID=u) for u in verdicts)))
    assert status == 409
    assert reasons(answer) == [0x0122, 0xC122, 0x0110]
    assert "00081199" not in answer


async def test_the_study_of_the_path_is_claimed(site) -> None:
    status, answer, _ = await site.stow(site.multipart(site.instance()), study="2.25.1")
    assert status == 200
    status, answer, _ = await site.stow(site.multipart(site.instance()), study="9.9")
    assert (status, reasons(answer)) == (409, [0xA900])
    status, _, _ = await site.stow(site.multipart(site.instance()), study="not-a-uid")
    assert status == 400


async def test_file_meta_names_an_instance_that_could_not_be_read(site) -> None:
    async def cannot_read(project: str, arena: Any, claimed: Any, peer: Any) -> Any:
        class Crashed:
            stored, reason, original, answer = False, Reason.WORKER_CRASHED, None, "accept"

        return Crashed()

    site.ingest.receive = cannot_read
    status, answer, _ = await site.stow(site.multipart(site.instance(SOPInstanceUID="1.2.3")))
    assert (status, referenced(answer)) == (200, ["1.2.3"])


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/related; type=application/dicom; boundary=b0", 200),
        ('multipart/related; type="application/dicom"; boundary="b0"', 200),
        ("multipart/related; boundary=b0", 200),
        ('multipart/related; type="application/dicom+json"; boundary=b0', 409),  # the parts are something else
        ('multipart/related; type="text/plain"; boundary=b0', 415),
        ("multipart/form-data; boundary=b0", 415),
        ("application/dicom", 415),
        ("multipart/related; type=application/dicom", 400),
        ('multipart/related; type="application/dicom"; boundary=""', 400),
        ("nonsense", 400),
    ],
)
async def test_content_types(site, content_type: str, status: int) -> None:
    got, _, _ = await site.stow(site.multipart(site.instance()), content_type=content_type)
    assert got == status


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"--b0--\r\n", b"--b0\r\nX\r\n\r\nabc\r\n--b0--", b"--other\r\n\r\nabc\r\n--other--"],
)
async def test_malformed_bodies_are_400(site, body: bytes) -> None:
    status, answer, _ = await site.stow(body)
    assert status == 400
    assert set(answer) == {"status", "error"}
    assert site.ingest.received == []


async def test_a_body_that_ends_early_loses_only_the_open_part(site) -> None:
    whole = site.multipart(site.instance(SOPInstanceUID="1.2.3"), site.instance(SOPInstanceUID="1.2.4"))
    status, _, _ = await site.stow(whole[:-40])
    assert status == 400
    assert len(site.ingest.received) == 1


async def test_a_compressed_body_is_refused_and_not_inflated(site) -> None:
    body = gzip.compress(site.multipart(site.instance()))
    status, _, _ = await site.stow(body, headers={"Content-Encoding": "gzip"})
    assert status == 415
    assert site.ingest.received == []


async def test_parts_of_another_type_fail_alone(site) -> None:
    body = site.multipart(b"<x/>", part_type="application/xml")[: -len("--b0--\r\n")] + site.multipart(site.instance())
    status, answer, _ = await site.stow(body)
    assert (status, reasons(answer, "0008119A")) == (202, [0xC000])
    assert [e.type for e in site.audit.events] == ["refused"]


async def test_part_without_content_type_and_with_transfer_syntax(site) -> None:
    body = b"--b0\r\n\r\n" + site.instance() + b"\r\n" + site.multipart(
        site.instance(), part_type="application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50"
    )  # fmt: skip
    status, answer, _ = await site.stow(body)
    assert (status, len(referenced(answer))) == (200, 2)


async def test_too_large_is_413_alone_and_202_in_company(site) -> None:
    big = site.instance() + bytes(9 * MIB)
    status, answer, _ = await site.stow(site.multipart(big))
    assert (status, reasons(answer, "0008119A")) == (413, [0x0110])
    status, answer, _ = await site.stow(site.multipart(big, site.instance(SOPInstanceUID="1.2.3")))
    assert (status, referenced(answer)) == (202, ["1.2.3"])
    assert len(site.ingest.received) == 1


@pytest.mark.parametrize("error", [SpoolFull("disk"), AuditUnavailable("none")])
async def test_unavailable_is_503_with_retry_after(site, error: Exception) -> None:
    site.ingest.verdicts["1.2.3"] = error
    status, _, headers = await site.stow(site.multipart(site.instance(SOPInstanceUID="1.2.3")))
    assert status == 503
    assert int(headers["Retry-After"]) > 0


async def test_memory_is_bounded_over_all_requests(site) -> None:
    go = asyncio.Event()

    async def slow_body():
        yield b"--b0\r\nContent-Type: application/dicom\r\n\r\n" + site.instance()
        for _ in range(7):
            yield bytes(MIB)
        await go.wait()
        yield b"\r\n--b0--\r\n"

    senders = [asyncio.create_task(site.stow(slow_body())) for _ in range(2)]
    while site.server_budget().used < 14 * MIB:
        await asyncio.sleep(0.01)
    status, _, headers = await site.stow(site.multipart(site.instance() + bytes(7 * MIB)))
    assert (status, "Retry-After" in headers) == (503, True)
    go.set()
    assert [(await sender)[0] for sender in senders] == [200, 200]
    assert site.server_budget().used == 0


async def test_one_request_does_not_fill_the_memory_against_itself(site) -> None:
    receive = site.ingest.receive

    async def slowly(*arguments: Any) -> Any:
        await asyncio.sleep(0.05)
        return await receive(*arguments)

    site.ingest.receive = slowly
    bodies = [
        site.instance(SOPInstanceUID=f"1.2.{n}") + bytes(7 * MIB) for n in range(6)
    ]  # twice what the memory holds
    status, answer, _ = await site.stow(site.multipart(*bodies))
    assert (status, referenced(answer)) == (200, [f"1.2.{n}" for n in range(6)])


async def test_a_sender_that_goes_away_leaves_no_memory_behind(site) -> None:
    _reader, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
    writer.write(
        b"POST /dicomweb/research/studies HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n"
        b'Content-Type: multipart/related; type="application/dicom"; boundary=b0\r\n\r\n'
        b"--b0\r\nContent-Type: application/dicom\r\n\r\n" + bytes(MIB)
    )
    await writer.drain()
    while site.server_budget().used < MIB - 100:
        await asyncio.sleep(0.01)
    writer.close()
    for _ in range(200):
        if site.server_budget().used == 0:
            break
        await asyncio.sleep(0.01)
    assert site.server_budget().used == 0
    assert site.ingest.received == []


async def test_a_silent_sender_is_timed_out(site, monkeypatch) -> None:
    monkeypatch.setattr("proxy.dicomweb.stow.STALL_SECONDS", 0.05)

    async def body():
        yield b"--b0\r\nContent-Type: application/dicom\r\n\r\nabc"
        await asyncio.sleep(1)
        yield b""

    status, _, _ = await site.stow(body())
    assert status == 408


async def test_unknown_project_and_methods(site) -> None:
    async with site.http.post(site.base.replace("research", "nobody") + "/studies", data=b"") as response:
        assert response.status == 404
    for method, path, allow in (
        ("DELETE", "/studies/1.2", "POST"),
        ("PUT", "/studies", "GET"),
        ("POST", "/series", "GET"),
    ):
        async with site.http.request(method, site.base + path) as response:
            assert response.status == 405
            assert allow in response.headers["Allow"]
            assert response.headers["Server"] == "Veil"


async def test_an_unforeseen_error_is_500_with_an_id_and_says_nothing(site, monkeypatch) -> None:
    log = Mock()
    monkeypatch.setattr("proxy.dicomweb.middleware.get_logger", lambda room: log)
    site.ingest.verdicts["1.2.3"] = ZeroDivisionError("DOE^JOHN")
    status, answer, _ = await site.stow(site.multipart(site.instance(SOPInstanceUID="1.2.3")))
    assert status == 500
    (said,) = log.error.call_args_list
    logged = only_known_fields(None, "error", {"event": said.args[0], **said.kwargs})
    assert (logged["event"], logged["error"]) == ("unforeseen-error", "ZeroDivisionError")
    assert logged["code"] == answer["error"].split()[-1]
    assert "receive" in logged["where"]
    assert "DOE" not in str(logged) + str(answer)
