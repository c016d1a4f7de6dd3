"""C-FIND with gdcmscu, a peer of another family.

gdcmscu 3.0.21 aborts itself while it releases an association, whoever is on the other side (DCMTK's storescp too), so
its exit status says nothing; and what it is sent by C-MOVE it reads as implicit VR, whatever it has accepted.
"""

from __future__ import annotations

import pytest

from tests.peers.querying import Peers
from tests.peers.test_query import archive as archive
from tests.peers.test_query import asking as asking
from tests.peers.test_query import peers as peers

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]
PATIENT = "ZQXIDENT100000001"


async def find(veil: Peers, *options: str) -> str:
    where = ("--call", "VEIL", "--aetitle", "WS1", "127.0.0.1", str(veil.port))
    return (await veil.run(veil.program("gdcmscu"), "-D", "--find", *options, *where))[1]


@pytest.mark.parametrize(
    ("model", "level", "keys", "matches"),
    [
        ("--studyroot", "--study", ("10,20=", "20,d="), 29),
        ("--studyroot", "--study", (f"10,20={PATIENT}", "20,d="), 1),
        ("--patientroot", "--patient", ("10,20=ZQXIDENT10000000?",), 9),
    ],
)
async def test_find(peers: tuple[Peers, int], model: str, level: str, keys: tuple[str, ...], matches: int) -> None:
    output = await find(peers[0], model, level, *(word for key in keys for word in ("--key", key)))
    assert "C-Find was successful." in output
    pending = [line for line in output.splitlines() if "65280" in line and "Status" in line]
    assert len(pending) == 2 * matches  # it prints each command set twice
