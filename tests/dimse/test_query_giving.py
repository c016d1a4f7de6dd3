"""What is compressed goes decompressed where the project allows it and nothing else is taken; else it fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

from proxy.dimse.rewriting import Rewriting
from proxy.errors import Reason, WorkersUnavailable
from proxy.service.ports import Held
from proxy.wire.vr import EXPLICIT_LE, IMPLICIT_LE
from tests.dimse.conversation import Conversation
from tests.dimse.retrieving import Place, Third, move
from tests.dimse.retrieving import archive as archive
from tests.dimse.test_rewriting import Worker, bundled, rewriting

MR, RLE = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.1.2.5"
NAME = "MR_small_RLE.dcm"


async def kept(place: Place, rewriting_: Rewriting | None) -> pydicom.Dataset:
    """A compressed instance in the archive."""
    path: Path = bundled(NAME)[0]
    await place.retrieve._archive.store("research", path)
    place.rewriting = {"research": rewriting_} if rewriting_ is not None else {}
    return pydicom.dcmread(path)


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
async def test_get_of_what_is_compressed(archive: Place, syntax: str) -> None:
    original = await kept(archive, rewriting(Worker()))
    peer = Conversation().offer((MR, syntax), scp=True)
    await archive.get(peer=peer, StudyInstanceUID=original.StudyInstanceUID)
    ((_, data),) = peer.stored
    assert peer.final.status == 0
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    assert np.array_equal(data.pixel_array, original.pixel_array)


async def test_what_the_peer_takes_is_not_decompressed(archive: Place) -> None:
    worker = Worker()
    original = await kept(archive, rewriting(worker))
    peer = Conversation().offer((MR, EXPLICIT_LE), (MR, RLE), scp=True)
    await archive.get(peer=peer, StudyInstanceUID=original.StudyInstanceUID)
    assert (len(peer.stored), worker.asked) == (1, 0)


@pytest.mark.parametrize("worker", [None, Worker(Held(Reason.NO_CODEC)), Worker(WorkersUnavailable("busy"))])
async def test_what_is_not_decompressed_fails(archive: Place, worker: Worker | None) -> None:
    original = await kept(archive, rewriting(worker) if worker is not None else None)
    peer = Conversation().offer((MR, EXPLICIT_LE), scp=True)
    await archive.get(peer=peer, StudyInstanceUID=original.StudyInstanceUID)
    assert (peer.stored, peer.final.status) == ([], 0xA702)
    assert peer.final.identifier.FailedSOPInstanceUIDList == original.SOPInstanceUID


async def test_a_third_party_is_asked_for_both(archive: Place) -> None:
    original = await kept(archive, rewriting(Worker()))
    third = Third()
    peer = await move(archive, third, StudyInstanceUID=original.StudyInstanceUID)
    ((_, contexts),) = third.opened
    assert [(context.abstract, context.syntaxes) for context in contexts] == [
        (MR, (RLE,)),
        (MR, (EXPLICIT_LE,)),
        (MR, (IMPLICIT_LE,)),
    ]
    assert peer.final.status == 0
