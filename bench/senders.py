"""Many associations out of one process, each of which sends the next CT as soon as it is answered.

All are the same but for their SOP Instance UIDs.

``python -m bench.senders PORT COUNT SECONDS FILE`` prints how many instances each association had answered in time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from itertools import count as counted
from pathlib import Path

from pydicom import dcmread

from bench.scp import CALLED
from proxy.dimse.association import Association
from proxy.dimse.connecting import connect
from proxy.dimse.outgoing import part10_offset
from proxy.dimse.requestor import Destination
from proxy.wire.command import C_STORE_RQ, Command
from proxy.wire.negotiation import ProposedContext

_CT, _EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"


def instances(file: Path) -> Iterator[tuple[str, bytes]]:
    """UID and data set of one instance after the other."""
    data = file.read_bytes()[part10_offset(file) :]
    uid = str(dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
    for number in counted():
        another = uid[:-8] + f"{1 + number:08}"
        yield another, data.replace(uid.encode(), another.encode(), 1)


async def send(association: Association, stock: Iterator[tuple[str, bytes]], until: float) -> int:
    """Store until then; how many were answered with success by then."""
    clock, context, done = asyncio.get_running_loop().time, association.contexts[1], 0
    while clock() < until:
        uid, data = next(stock)
        command = Command(
            C_STORE_RQ,
            MessageID=association.next_id(),
            Priority=0,
            AffectedSOPClassUID=_CT,
            AffectedSOPInstanceUID=uid,
        )
        answer = await association.ask(context, command, data)
        done += answer.command.status == 0 and clock() < until
    return done


async def main(port: int, count: int, seconds: float, file: Path) -> None:
    """All of them at once."""
    stock = instances(file)
    to = Destination("127.0.0.1", port, CALLED, "SENDER", 60.0)
    wanted = [ProposedContext(1, _CT, (_EXPLICIT,))]
    associations = [await connect(to, wanted) for _ in range(count)]
    until = asyncio.get_running_loop().time() + seconds
    print(*await asyncio.gather(*(send(one, stock, until) for one in associations)), flush=True)
    await asyncio.gather(*(one.release() for one in associations))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])))
