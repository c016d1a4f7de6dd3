"""Who is rejected before anybody has judged him."""

from __future__ import annotations

import asyncio

from tests.dimse.servers import Serve
from tests.system.modality import IMPLICIT, VERIFICATION, associate_rq


async def test_another_application_than_dicom_is_rejected(serve: Serve) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", (await serve()).port)
    request = associate_rq([(VERIFICATION, [IMPLICIT])])
    writer.write(request.replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9"))
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer == b"\3\0\0\0\0\4\0\1\1\2"  # PS3.8 9.3.4: permanent, by the user, application context
