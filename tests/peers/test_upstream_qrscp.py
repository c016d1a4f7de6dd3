"""pynetdicom's qrscp as a PACS that is asked, by C-FIND and C-GET.

It answers one match for each instance whatever the level, and names no SOP class: each study here has one instance, and
what the others of `test_upstreams` know to do is not asked of it.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import AsyncIterator, Iterator

import pydicom
import pytest

from proxy.dimse.requestor import Destination
from proxy.dimse.upstream import DimseUpstream
from proxy.service.upstream import Question, Reference
from proxy.wire.dicom_json import first_value
from proxy.workers.arena import Arena
from tests.peers.interop import APPLICATION
from tests.peers.pacs import listening
from tests.peers.test_dcmtk_dimse import bundled
from tests.system.harness import quiet_port

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]
FILES = ("CT_small.dcm", "MR_small_bigendian.dcm", "SC_rgb_rle_2frame.dcm", "JPEG2000.dcm")


@pytest.fixture(scope="module")
def qrscp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of one that has `FILES`."""
    port, folder = quiet_port(), tmp_path_factory.mktemp("qrscp")
    index = ("--database-location", str(folder / "index"), "--instance-location", str(folder))
    with listening([*APPLICATION, "qrscp", "--port", str(port), "-ba", "127.0.0.1", *index], port, folder / "log"):
        for name in FILES:
            store = [*APPLICATION, "storescu", "127.0.0.1", str(port), str(bundled(name)), "-cx"]
            subprocess.run(store, check=True, timeout=60, capture_output=True)
        yield port


@pytest.fixture
async def pacs(qrscp: int) -> AsyncIterator[DimseUpstream]:
    upstream = DimseUpstream("pacs", Destination("127.0.0.1", qrscp, "QRSCP", "VEIL", 10.0), 20.0)
    yield upstream
    await upstream.close()


@pytest.mark.parametrize("name", FILES)
async def test_what_it_has_is_found_and_fetched(pacs: DimseUpstream, name: str) -> None:
    stored = pydicom.dcmread(bundled(name))
    (study,) = await pacs.search(Question("study", {"PatientID": str(stored.PatientID)}))
    assert first_value(study, "0020000D") == stored.StudyInstanceUID
    (reference,) = await pacs.instances(str(stored.StudyInstanceUID))
    path = (str(stored.StudyInstanceUID), str(stored.SeriesInstanceUID), str(stored.SOPInstanceUID))
    assert reference == Reference(*path, "")
    with Arena(32 << 20) as arena:
        assert await pacs.fetch(reference, arena)
        arrived = pydicom.dcmread(io.BytesIO(bytes(arena.view())))
    if stored.file_meta.TransferSyntaxUID.is_compressed:
        assert arrived.file_meta.TransferSyntaxUID == stored.file_meta.TransferSyntaxUID
    assert (arrived.pixel_array == stored.pixel_array).all()
