from __future__ import annotations

import errno
from pathlib import Path

import pytest

from proxy.archive.archive import EmbeddedArchive
from proxy.archive.sender import ArchiveSender
from proxy.errors import DeliveryTransient, InstanceRejected
from proxy.service.ports import QueueRow


def row(project: str) -> QueueRow:
    return QueueRow(1, project, "archive", "x", "0", 0, "1.2", "1.2", "2.25.1", "2.25.2", "2.25.3", "K", 0, 0.0)


async def test_files_in_the_rows_project(archive: EmbeddedArchive, make) -> None:
    sender, path = ArchiveSender(archive), make("a")
    await sender.send(row("research"), path)
    await sender.send(row("research"), path)
    await sender.close()
    assert len(await archive.instances("research", "2.25.1")) == 1


async def test_what_cannot_be_filed_is_rejected(archive: EmbeddedArchive, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_bytes(b"not DICOM")
    with pytest.raises(InstanceRejected):
        await ArchiveSender(archive).send(row("research"), path)


async def test_a_full_disk_is_tried_again(archive: EmbeddedArchive, make, monkeypatch) -> None:
    def full(*_: object) -> bool:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(archive._tree, "place", full)
    with pytest.raises(DeliveryTransient, match="ENOSPC"):
        await ArchiveSender(archive).send(row("research"), make("a"))
