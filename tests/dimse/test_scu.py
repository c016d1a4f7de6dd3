"""The SCU against pynetdicom's own SCP with programmable answers, on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
)
from pynetdicom import AE, evt

import proxy
from proxy.dimse import contexts, pool
from proxy.dimse.requestor import Destination
from proxy.dimse.scu import WINDOW, DimseSender
from proxy.errors import DeliveryTransient, DestinationRefuses, InstanceRejected
from proxy.service.ports import QueueRow
from tests.dimse.overlapping import overlapping


@dataclass
class Pacs:
    """A destination: answers ``status``, or does what ``act`` says instead."""

    status: int = 0x0000
    act: Callable[[Any], int] | None = None
    port: int = 0
    associations: list[Any] = field(default_factory=list)
    released: int = 0
    stored: list[tuple[str, str, bytes]] = field(default_factory=list)

    def on_established(self, event: Any) -> None:
        self.associations.append(event.assoc)

    def on_released(self, event: Any) -> None:
        self.released += 1

    def on_store(self, event: Any) -> int:
        request = event.request
        self.stored.append((request.AffectedSOPInstanceUID, event.context.transfer_syntax, request.DataSet.getvalue()))
        return self.act(event) if self.act else self.status


@pytest.fixture
def pacs() -> Iterator[Callable[..., Pacs]]:
    servers = []

    def start(
        classes: tuple[str, ...] = (CTImageStorage, MRImageStorage),
        title: str = "",
        syntaxes: tuple[str, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
        **settings: Any,
    ) -> Pacs:
        this = Pacs(**settings)
        ae = AE("PACS")
        ae.require_called_aet = bool(title)
        for uid in classes:
            ae.add_supported_context(uid, list(syntaxes))
        if classes:
            ae.add_supported_context(contexts.VERIFICATION)
        else:
            ae.add_supported_context("1.2.840.10008.5.1.4.31")  # worklist only
        handlers = [
            (evt.EVT_ESTABLISHED, this.on_established),
            (evt.EVT_RELEASED, this.on_released),
            (evt.EVT_C_STORE, this.on_store),
        ]
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        assert server is not None
        this.port = server.server_address[1]
        servers.append(ae)
        return this

    yield start
    for ae in servers:
        ae.shutdown()


@pytest.fixture
async def sender() -> AsyncIterator[Callable[..., DimseSender]]:
    made: list[DimseSender] = []

    def make(port: int, called: str = "PACS", seconds: float = 5.0, **more: Any) -> DimseSender:
        made.append(DimseSender(to(port, called, seconds), **more))
        return made[-1]

    yield make
    for one in made:
        await one.close()


def to(port: int, called: str = "PACS", seconds: float = 5.0, host: str = "127.0.0.1") -> Destination:
    return Destination(host, port, called, "VEIL", seconds)


def part10(
    path: Path,
    size: int = 100,
    uid: str = "1.2.3",
    sop_class: str = CTImageStorage,
    syntax: str = ExplicitVRLittleEndian,
) -> QueueRow:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = bytes(n % 251 for n in range(size + size % 2))
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
    return row(uid, sop_class, syntax, path.stat().st_size)


def row(uid: str, sop_class: str, syntax: str, size: int = 0) -> QueueRow:
    return QueueRow(1, "research", "pacs", "name", "0" * 64, size, sop_class, syntax, "1", "1", uid, "P", 0, 0.0)


def data_set(path: Path) -> bytes:
    raw = path.read_bytes()
    return raw[144 + int.from_bytes(raw[140:144], "little") :]


@pytest.mark.parametrize("size", [0, 10, 16_366, 16_380, 3_000_000])
async def test_bytes_arrive_as_they_lie_in_the_file(pacs: Any, sender: Any, tmp_path: Path, size: int) -> None:
    there = pacs()
    file = tmp_path / "a.dcm"
    await sender(there.port).send(part10(file, size), file)
    assert there.stored == [("1.2.3", ExplicitVRLittleEndian, data_set(file))]


async def test_an_odd_deflated_stream_is_padded(pacs: Any, sender: Any, tmp_path: Path) -> None:
    there = pacs()
    file = tmp_path / "a.dcm"
    wanted = part10(file)
    file.write_bytes(file.read_bytes() + b"x")
    await sender(there.port).send(wanted, file)
    assert there.stored[0][2] == data_set(file) + b"\x00"


async def test_own_identity_and_titles(pacs: Any, sender: Any, tmp_path: Path) -> None:
    there = pacs()
    await sender(there.port).send(part10(tmp_path / "a"), tmp_path / "a")
    requestor = there.associations[0].requestor
    assert requestor.implementation_class_uid == proxy.IMPLEMENTATION_CLASS_UID
    assert requestor.implementation_version_name == proxy.IMPLEMENTATION_VERSION_NAME
    assert (requestor.ae_title, requestor.primitive.called_ae_title) == ("VEIL", "PACS")


async def test_one_association_carries_many_instances(pacs: Any, sender: Any, tmp_path: Path) -> None:
    there, out = pacs(), None
    out = sender(there.port)
    for n in range(20):
        await out.send(part10(tmp_path / "a", uid=f"1.2.{n}"), tmp_path / "a")
    assert len(there.stored) == 20
    assert len(there.associations) == 1
    (link,) = out._pool._links
    transport = link.association.stream.transport
    assert transport is not None
    assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)  # else 40 ms each


async def test_a_new_pair_makes_one_larger_association(pacs: Any, sender: Any, tmp_path: Path) -> None:
    there = pacs()
    out = sender(there.port)
    for sop_class in (CTImageStorage, MRImageStorage, CTImageStorage, MRImageStorage):
        await out.send(part10(tmp_path / "a", sop_class=sop_class), tmp_path / "a")
    assert len(there.associations) == 2
    assert len(there.stored) == 4


async def test_no_more_than_128_contexts_are_ever_proposed(
    pacs: Any, sender: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    there = pacs()
    out = sender(there.port)
    out._pairs.update(
        dict.fromkeys((uid, s) for uid in list(contexts.STORAGE_SOP_CLASSES)[:60] for s in ("1.2", "1.3", "1.4"))
    )
    await out.send(part10(tmp_path / "a"), tmp_path / "a")
    proposed = there.associations[0].requestor.primitive.presentation_context_definition_list
    assert len(proposed) == 128
    assert len(there.stored) == 1


async def test_parallel_sends_use_parallel_associations_up_to_the_limit(pacs: Any, sender: Any, tmp_path: Path) -> None:
    together, most, lock = 0, 0, threading.Lock()

    def slow(event: Any) -> int:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.05)
        with lock:
            together -= 1
        return 0

    there = pacs(act=slow)
    out = sender(there.port, associations=3)
    wanted = part10(tmp_path / "a")
    await asyncio.gather(*(out.send(wanted, tmp_path / "a") for _ in range(9)))
    assert len(there.stored) == 9
    assert most == 3
    assert len(there.associations) == 3


async def together(out: DimseSender, path: Path, count: int) -> list[Any]:
    """Instances 1.2.0, 1.2.1, ... at once; what became of each."""
    rows = [part10(path / f"{n}", size=40_000, uid=f"1.2.{n}") for n in range(count)]
    sends = (out.send(each, path / f"{n}") for n, each in enumerate(rows))
    return await asyncio.gather(*sends, return_exceptions=True)


@pytest.mark.parametrize(("window", "agreed"), [((4, 1), 4), ((0, 0), WINDOW), ((200, 1), WINDOW), ((2, 2), 2)])
async def test_a_window_lets_instances_overlap_and_each_has_its_own_answer(
    sender: Any, tmp_path: Path, window: tuple[int, int], agreed: int
) -> None:
    async with overlapping(window, agreed, refused="1.2.1") as there:
        out = sender(there.port, associations=1)
        results = await together(out, tmp_path, 2 * agreed)
        assert there.requests[0].window == (WINDOW, 1)
        assert (there.most, there.more, there.associations) == (agreed, False, 1)
        assert [type(each) for each in results] == [
            InstanceRejected if n == 1 else type(None) for n in range(2 * agreed)
        ]
        assert sorted(there.stored) == sorted(f"1.2.{n}" for n in range(2 * agreed))


@pytest.mark.parametrize("window", [(1, 1), None])
async def test_without_a_window_one_follows_the_other(
    sender: Any, tmp_path: Path, window: tuple[int, int] | None
) -> None:
    async with overlapping(window) as there:
        assert await together(sender(there.port, associations=1), tmp_path, 6) == [None] * 6
        assert (there.most, there.more, there.associations) == (1, False, 1)


async def test_those_that_share_an_association_are_sent_again_when_it_is_lost(sender: Any, tmp_path: Path) -> None:
    async with overlapping((4, 1), 4) as there:
        out = sender(there.port, associations=1)
        assert await together(out, tmp_path, 4) == [None] * 4
        there.together = 100
        asked = asyncio.ensure_future(together(out, tmp_path, 4))
        while there.most < 4 or len(there.stored) < 4:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        there.together = 4
        out._pool._links[0].association.abort()
        assert await asked == [None] * 4
        assert there.associations == 2


async def test_a_destination_that_stops_reading_is_given_up(sender: Any, tmp_path: Path) -> None:
    wanted = part10(tmp_path / "a", size=8 << 20)
    async with overlapping(None, deaf=True) as there:
        began = time.monotonic()
        with pytest.raises(DeliveryTransient, match="timeout"):
            await sender(there.port, seconds=0.3).send(wanted, tmp_path / "a")
        assert time.monotonic() - began < 20


async def test_idle_associations_are_released_and_opened_again(
    pacs: Any, sender: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.1)
    there = pacs()
    out = sender(there.port)
    wanted = part10(tmp_path / "a")
    await out.send(wanted, tmp_path / "a")
    await asyncio.sleep(0.6)
    assert there.released == 1
    await out.send(wanted, tmp_path / "a")
    assert len(there.associations) == 2


async def test_a_hang_up_between_instances_goes_unnoticed(pacs: Any, sender: Any, tmp_path: Path) -> None:
    there = pacs()
    out = sender(there.port)
    wanted = part10(tmp_path / "a")
    await out.send(wanted, tmp_path / "a")
    await asyncio.to_thread(there.associations[0].abort)
    await out.send(wanted, tmp_path / "a")
    assert len(there.stored) == 2


async def test_an_association_lost_under_way_is_transient(pacs: Any, sender: Any, tmp_path: Path) -> None:
    there = pacs(act=lambda event: event.assoc.abort(block=False) or 0)
    with pytest.raises(DeliveryTransient):
        await sender(there.port).send(part10(tmp_path / "a"), tmp_path / "a")


async def test_no_answer_in_time_is_transient_and_ends_the_association(pacs: Any, sender: Any, tmp_path: Path) -> None:
    waiting = threading.Event()
    there = pacs(act=lambda event: int(waiting.wait(3)) * 0)
    out = sender(there.port, seconds=0.5)
    with pytest.raises(DeliveryTransient, match="timeout"):
        await out.send(part10(tmp_path / "a"), tmp_path / "a")
    waiting.set()
    await out.send(part10(tmp_path / "a"), tmp_path / "a")
    assert len(there.associations) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0xB000, None),
        (0xB007, None),
        (0xA700, DeliveryTransient),
        (0x0213, DeliveryTransient),
        (0xA900, InstanceRejected),
        (0xC001, InstanceRejected),
        (0x0110, InstanceRejected),
        (0x0117, InstanceRejected),
        (0x0122, DestinationRefuses),
        (0x0124, DestinationRefuses),
    ],
)
async def test_statuses_mean_what_the_table_says(
    pacs: Any, sender: Any, tmp_path: Path, status: int, error: type[Exception] | None
) -> None:
    there = pacs(status=status)
    out = sender(there.port)
    wanted = part10(tmp_path / "a")
    if error is None:
        await out.send(wanted, tmp_path / "a")
    else:
        with pytest.raises(error, match=f"{status:04X}"):
            await out.send(wanted, tmp_path / "a")
    there.status = 0
    await out.send(wanted, tmp_path / "a")
    assert len(there.associations) == 1  # a refusal does not cost the association


async def test_unaccepted_transfer_syntax_blames_the_instance(pacs: Any, sender: Any, tmp_path: Path) -> None:
    there = pacs()
    out = sender(there.port)
    wanted = part10(tmp_path / "a", syntax=DeflatedExplicitVRLittleEndian)
    for _ in range(2):
        with pytest.raises(InstanceRejected, match="no-context"):
            await out.send(wanted, tmp_path / "a")
    assert there.stored == []
    assert len(there.associations) == 1


async def test_a_destination_without_any_of_our_contexts(pacs: Any, sender: Any, tmp_path: Path) -> None:
    there = pacs(classes=())
    with pytest.raises(InstanceRejected, match="no-context"):
        await sender(there.port).send(part10(tmp_path / "a"), tmp_path / "a")


async def test_permanent_rejection_means_the_destination_refuses(pacs: Any, sender: Any, tmp_path: Path) -> None:
    there = pacs(title="yes")
    with pytest.raises(DestinationRefuses, match="A-ASSOCIATE-RJ 1/1/7"):
        await sender(there.port, called="WRONG").send(part10(tmp_path / "a"), tmp_path / "a")


async def test_nobody_there_is_transient(sender: Any, tmp_path: Path, free_port: Callable[[], int]) -> None:
    with pytest.raises(DeliveryTransient):
        await sender(free_port()).send(part10(tmp_path / "a"), tmp_path / "a")


async def test_a_name_that_does_not_resolve_is_transient(tmp_path: Path) -> None:
    out = DimseSender(to(104, seconds=2.0, host="no-such-host.invalid"))
    with pytest.raises(DeliveryTransient):
        await out.send(part10(tmp_path / "a"), tmp_path / "a")
    await out.close()


async def test_a_peer_that_accepts_and_says_nothing_is_transient(sender: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(DeliveryTransient):
            await sender(silent.getsockname()[1], seconds=0.5).send(part10(tmp_path / "a"), tmp_path / "a")
        assert time.monotonic() - began < 5


async def test_a_file_that_is_gone_or_is_no_file_blames_the_instance(pacs: Any, sender: Any, tmp_path: Path) -> None:
    there = pacs()
    wanted = part10(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"x" * 500)
    for name in ("missing", "b"):
        with pytest.raises(InstanceRejected, match="spool"):
            await sender(there.port).send(wanted, tmp_path / name)


async def test_close_releases(pacs: Any, tmp_path: Path) -> None:
    there = pacs()
    out = DimseSender(to(there.port))
    wanted = part10(tmp_path / "a")
    await out.send(wanted, tmp_path / "a")
    await out.close()
    deadline = time.monotonic() + 3
    while there.released == 0 and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert there.released == 1
    with pytest.raises(DeliveryTransient):
        await out.send(wanted, tmp_path / "a")
