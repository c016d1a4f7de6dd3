"""The SCP against pynetdicom's own SCU and against raw PDUs, on loopback."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_context
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import P_DATA

import proxy
from proxy.dimse import contexts
from proxy.dimse.server import DimseServer
from proxy.errors import AuditUnavailable, Reason, SpoolFull
from tests.dimse.arenas import arenas
from tests.dimse.servers import Serve, connections

NAME = b"PLANTED^NAME"


def instance(size: int = 100, uid: str = "1.2.3.4") -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = uid
    dataset.PatientName = NAME.decode()
    dataset.PixelData = b"\x01" * (size + size % 2)
    dataset["PixelData"].VR = "OW"
    return dataset


def encoded(dataset: Dataset) -> bytes:
    data = encode(dataset, False, True)
    assert data is not None
    return data


def associate(server: DimseServer, called: str = "VEIL", wanted: list[Any] | None = None, **more: Any) -> Any:
    ae = AE("MODALITY")
    ae.acse_timeout = ae.dimse_timeout = 10
    wanted = wanted or [build_context(CTImageStorage, ExplicitVRLittleEndian)]
    return ae.associate("127.0.0.1", server.port, contexts=wanted, ae_title=called, **more)


def store(server: DimseServer, *datasets: Dataset, called: str = "VEIL") -> list[Dataset]:
    association = associate(server, called)
    assert association.is_established
    answers = [association.send_c_store(d) for d in datasets]
    association.release()
    return answers


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not reached in time"
        await asyncio.sleep(0.01)


def descriptors() -> list[str]:
    gc.collect()
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue
    return found


async def test_stores_and_hands_over_bytes_peer_and_claim(serve: Serve, ingest: Any) -> None:
    server = await serve()
    dataset = instance()
    (answer,) = await asyncio.to_thread(store, server, dataset)
    assert answer.Status == 0
    assert "ErrorComment" not in answer
    ((project, data, claimed, peer),) = ingest.received
    assert project == "research"
    assert data[128:132] == b"DICM"
    assert data.endswith(encoded(dataset))
    assert claimed.sop_class_uid == CTImageStorage
    assert claimed.sop_instance_uid == "1.2.3.4"
    assert (peer.transport, peer.address, peer.calling_ae, peer.called_ae) == ("dimse", "127.0.0.1", "MODALITY", "VEIL")


async def test_called_ae_title_selects_the_project(serve: Serve, ingest: Any) -> None:
    await asyncio.to_thread(store, await serve(), instance(), called="OTHER AE")
    assert ingest.received[0][0] == "other"


async def test_unknown_called_ae_title_is_rejected_for_good(serve: Serve, ingest: Any) -> None:
    association = await asyncio.to_thread(associate, await serve(), "STRANGER")
    assert association.is_rejected
    answer = association.acceptor.primitive
    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, 7)


async def test_too_many_associations_are_rejected_for_now(serve: Serve) -> None:
    server = await serve(associations=1)
    first = await asyncio.to_thread(associate, server)
    second = await asyncio.to_thread(associate, server)
    answer = second.acceptor.primitive
    assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)
    await asyncio.to_thread(first.release)
    await until(lambda: connections() == 0)
    third = await asyncio.to_thread(associate, server)
    assert third.is_established
    await asyncio.to_thread(third.release)


async def test_implementation_is_our_own_and_max_pdu_is_announced(serve: Serve) -> None:
    association = await asyncio.to_thread(associate, await serve(max_pdu=65536))
    acceptor = association.acceptor
    assert acceptor.implementation_class_uid == proxy.IMPLEMENTATION_CLASS_UID
    assert acceptor.implementation_version_name == proxy.IMPLEMENTATION_VERSION_NAME
    assert acceptor.maximum_length == 65536
    await asyncio.to_thread(association.release)


async def test_echo(serve: Serve) -> None:
    association = await asyncio.to_thread(associate, await serve(), wanted=[build_context(contexts.VERIFICATION)])
    answer = await asyncio.to_thread(association.send_c_echo)
    assert answer.Status == 0
    await asyncio.to_thread(association.release)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ((False, Reason.TRUNCATED, "accept"), 0xC000),
        ((False, Reason.UID_MISMATCH, "accept"), 0xA900),
        ((False, Reason.BURNED_IN, "accept"), 0x0000),
        ((False, Reason.BURNED_IN, "refuse"), 0x0110),
        ((False, Reason.UNKNOWN_SOP_CLASS, "refuse"), 0x0122),
    ],
)
async def test_held_instances_answer_by_the_table(serve: Serve, ingest: Any, told: Any, status: int) -> None:
    ingest.told.stored, ingest.told.reason, ingest.told.answer = told
    (answer,) = await asyncio.to_thread(store, await serve(), instance())
    assert answer.Status == status
    assert answer.get("ErrorComment", "") == (f"held: {told[1]}" if status else "")


@pytest.mark.parametrize(
    ("error", "status"),
    [(SpoolFull("x"), 0xA700), (AuditUnavailable("x"), 0xA700), (ValueError(NAME.decode()), 0x0110)],
)
async def test_errors_answer_without_values_and_free_the_bytes(
    serve: Serve, ingest: Any, error: Exception, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    ingest.error = error
    (answer,) = await asyncio.to_thread(store, await serve(), instance())
    assert answer.Status == status
    assert 0 < len(answer.ErrorComment) <= 64
    assert NAME.decode() not in str(answer) + "".join(capfd.readouterr())
    await until(lambda: arenas() == 0)


async def test_oversize_is_refused_and_the_association_survives(serve: Serve, ingest: Any) -> None:
    server = await serve(instance_limit=1 << 20)
    answers = await asyncio.to_thread(store, server, instance(3 << 20), instance(100, "1.2.3.5"))
    assert [a.Status for a in answers] == [0xA700, 0x0000]
    assert answers[0].ErrorComment == "instance larger than limit"
    assert [claimed.sop_instance_uid for _, _, claimed, _ in ingest.received] == ["1.2.3.5"]
    await until(lambda: arenas() == 0)


async def test_memory_of_all_instances_together_is_bounded(serve: Serve, ingest: Any) -> None:
    server = await serve(memory_limit=3 << 20)
    ingest.gate = asyncio.Event()
    first = asyncio.create_task(asyncio.to_thread(store, server, instance(2 << 20)))
    await until(lambda: ingest.at_once == 1)
    (refused,) = await asyncio.to_thread(store, server, instance(2 << 20, "1.2.3.5"))
    assert refused.Status == 0xA700
    ingest.gate.set()
    assert [a.Status for a in await first] == [0]
    assert [a.Status for a in await asyncio.to_thread(store, server, instance(2 << 20, "1.2.3.6"))] == [0]


async def test_an_instance_is_forgotten_when_it_is_answered_not_when_its_association_ends(serve: Serve) -> None:
    many = [instance(2 << 20, f"1.2.3.{n}") for n in range(4)]
    answers = await asyncio.to_thread(store, await serve(memory_limit=3 << 20), *many)
    assert [a.Status for a in answers] == [0] * 4


async def test_nothing_is_written_to_any_file(serve: Serve, ingest: Any, monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delattr("pynetdicom.dimse_messages.NamedTemporaryFile")
    ingest.gate = asyncio.Event()
    sending = asyncio.create_task(asyncio.to_thread(store, await serve(), instance(1 << 20)))
    await until(lambda: ingest.at_once == 1)
    assert list(tmp_path.iterdir()) == []
    assert arenas() > 0
    ingest.gate.set()
    await sending


async def test_ten_senders_at_once(serve: Serve, ingest: Any) -> None:
    server = await serve()
    ingest.gate = asyncio.Event()
    many = [asyncio.to_thread(store, server, instance(300_000, f"1.2.3.{n}")) for n in range(10)]
    tasks = [asyncio.create_task(one) for one in many]
    await until(lambda: ingest.at_once == 10, 20)
    ingest.gate.set()
    answers = await asyncio.gather(*tasks)
    assert [a[0].Status for a in answers] == [0] * 10
    for _, data, claimed, _ in ingest.received:
        assert data.endswith(encoded(instance(300_000, claimed.sop_instance_uid)))


async def test_128_contexts_with_every_syntax(serve: Serve, ingest: Any) -> None:
    classes = sorted(contexts.STORAGE_SOP_CLASSES - {CTImageStorage})[:127]
    syntaxes = [s for s in contexts.TRANSFER_SYNTAXES if s != ExplicitVRLittleEndian]
    wanted = [build_context(uid, [ExplicitVRLittleEndian, *syntaxes]) for uid in [*classes, CTImageStorage]]
    association = await asyncio.to_thread(associate, await serve(), wanted=wanted)
    assert len(association.accepted_contexts) == 128
    assert {cx.transfer_syntax[0] for cx in association.accepted_contexts} == {ExplicitVRLittleEndian}
    assert (await asyncio.to_thread(association.send_c_store, instance())).Status == 0
    await asyncio.to_thread(association.release)


@pytest.mark.parametrize("word", ["1.2.840.10008.5.1.4.1.1.4", "31", "1.2.840.10008.1.1"])
async def test_a_commands_own_sop_class_is_kept_but_the_contexts_is_claimed(
    serve: Serve, ingest: Any, word: str
) -> None:
    """Whichever of the two is wrong, ingest can tell by the data set; the association goes on."""
    ingest.told.stored, ingest.told.reason = False, Reason.UID_MISMATCH
    association = await asyncio.to_thread(associate, await serve())
    request = _request(b"\x00" * 8)
    request.AffectedSOPClassUID = word
    for _ in range(2):
        assert await asyncio.to_thread(_send, association, request) == 0xA900
    _, data, claimed, _ = ingest.received[1]
    assert claimed.sop_class_uid == CTImageStorage
    assert word.encode() in data[:300]
    await asyncio.to_thread(association.release)


async def test_a_data_set_of_no_bytes_is_judged_like_any_other(serve: Serve, ingest: Any) -> None:
    ingest.told.stored, ingest.told.reason = False, Reason.MISSING_UID
    association = await asyncio.to_thread(associate, await serve())
    assert await asyncio.to_thread(_send, association, _request(b"")) == 0xC000
    assert ingest.received[0][1][128:132] == b"DICM"
    await asyncio.to_thread(association.release)


async def test_trailing_padding_arrives_untouched(serve: Serve, ingest: Any) -> None:
    data = encoded(instance()) + struct.pack("<HH2s2xI", 0xFFFC, 0xFFFC, b"OB", 4) + bytes(4)
    association = await asyncio.to_thread(associate, await serve())
    assert await asyncio.to_thread(_send, association, _request(data)) == 0
    assert ingest.received[0][1].endswith(data)
    await asyncio.to_thread(association.release)


@pytest.mark.parametrize("how", ["abort", "reset", "release"])
async def test_a_transfer_that_breaks_off_leaves_nothing_behind(serve: Serve, ingest: Any, how: str) -> None:
    server = await serve()
    association = await asyncio.to_thread(associate, server)
    pdus = list(_message(_request(bytes(1 << 20))).encode_msg(1, 16384))
    for pdu in pdus[:-3]:
        association.dul.send_pdu(pdu)
    await until(lambda: arenas() == 1)
    if how == "reset":
        association.dul.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        association.dul.socket.socket.close()
    await asyncio.to_thread(association.release if how == "release" else association.abort)
    await until(lambda: arenas() == 0 and connections() == 0)
    assert ingest.received == []
    assert [a.Status for a in await asyncio.to_thread(store, server, instance())] == [0]


async def test_descriptors_and_threads_return_to_the_baseline(serve: Serve, ingest: Any) -> None:
    server = await serve()
    await asyncio.to_thread(store, server, instance())
    await until(lambda: connections() == 0)
    before, threads = len(descriptors()), threading.active_count()

    def round_trip() -> None:
        for n in range(40):
            (answer,) = store(server, instance(1000, f"1.2.{n}"))
            assert answer.Status == 0

    await asyncio.gather(*(asyncio.to_thread(round_trip) for _ in range(5)))
    await until(lambda: connections() == 0)
    assert len(ingest.received) == 201
    assert len(descriptors()) <= before + 2
    assert threading.active_count() <= threads + 8  # the default executor's own


async def test_stop_lets_a_running_store_finish(serve: Serve, ingest: Any) -> None:
    server = await serve()
    port = server.port
    ingest.gate = asyncio.Event()
    sending = asyncio.create_task(asyncio.to_thread(store, server, instance()))
    await until(lambda: ingest.at_once == 1)
    stopping = asyncio.create_task(server.stop(10))
    await asyncio.sleep(0.3)
    assert not stopping.done()
    ingest.gate.set()
    assert [a.Status for a in await sending] == [0]
    await asyncio.wait_for(stopping, 5)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


async def test_stop_aborts_what_does_not_finish(serve: Serve, ingest: Any) -> None:
    server = await serve()
    ingest.gate = asyncio.Event()
    sending = asyncio.create_task(asyncio.to_thread(store, server, instance()))
    await until(lambda: ingest.at_once == 1)
    began = time.monotonic()
    await server.stop(0.2)
    assert time.monotonic() - began < 20
    assert "Status" not in (await sending)[0]
    await until(lambda: arenas() == 0 and connections() == 0)


def _request(data: bytes) -> Any:
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CTImageStorage, "1.2.3.4"
    request.DataSet = BytesIO(data)
    return request


def _message(request: Any) -> Any:
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    return message


def _send(association: Any, request: Any) -> int | None:
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, 1)
    if not request.DataSet.getvalue():  # pynetdicom announces it and then sends no fragment
        empty = P_DATA()
        empty.presentation_data_value_list.append((1, b"\x02"))
        association.dul.send_pdu(empty)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return response.Status if response else None
