"""The demo's two senders, each its own process: a modality that speaks DIMSE, a gateway that speaks STOW-RS.

``python -m proxy.commands.demo_clients dimse HOST PORT AE FILE...`` or ``stow URL FILE...``. Knows nothing of Veil.
"""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE

_BOUNDARY = "demo-gateway"


def store(host: str, port: int, called: str, files: list[str]) -> int:
    """C-STORE each file on one association; returns how many were accepted."""
    ae = AE(ae_title="DEMO_MODALITY")
    datasets = [dcmread(name) for name in files]
    for pair in sorted({(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID) for ds in datasets}):
        ae.add_requested_context(*pair)
    association = ae.associate(host, port, ae_title=called)
    if not association.is_established:
        return 0
    statuses = [association.send_c_store(ds) for ds in datasets]
    association.release()
    return sum(getattr(status, "Status", None) == 0 for status in statuses)


def stow(url: str, files: list[str]) -> int:
    """STOW-RS all files in one request; returns how many it carried when the answer was 200."""
    body = b"".join(
        b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (_BOUNDARY.encode(), Path(name).read_bytes())
        for name in files
    )
    request = urllib.request.Request(  # noqa: S310 - an http URL that the demo itself made
        url + "/studies",
        data=body + b"--%s--\r\n" % _BOUNDARY.encode(),
        headers={
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}',
            "Accept": "application/dicom+json",
        },
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        return len(files) if answer.status == 200 else 0


def main() -> None:
    """Status 0 when everything was accepted."""
    kind, *rest = sys.argv[1:]
    files = rest[3:] if kind == "dimse" else rest[1:]
    done = store(rest[0], int(rest[1]), rest[2], files) if kind == "dimse" else stow(rest[0], files)
    sys.exit(0 if done == len(files) else 1)


if __name__ == "__main__":
    main()
