"""Peak memory while one large multi-frame instance passes, by C-STORE and by STOW-RS, to storescp.

What is counted: see `bench.memory`. The destination and the sender are not part of it.
"""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bench.engine import size
from bench.memory import Sampler
from bench.multiframe import FRAME_BYTES, write_enhanced_ct
from bench.peers import destination, send
from bench.processes import Failed, Skipped
from bench.report import Row
from bench.site import CALLED, Site, veil

_LIMIT = 300.0
_PIECE = 1 << 20
_BOUNDARY = "veil-bench"
_HEAD = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()
Client = Callable[[Path, Site, Path], None]


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """Baseline, peak and seconds for both ways in."""
    frames = (128 << 20) // FRAME_BYTES if quick else (1 << 30) // FRAME_BYTES
    with tempfile.TemporaryDirectory(prefix="veil-bench-") as name:
        folder = Path(name)
        path = folder / "large.dcm"
        length = write_enhanced_ct(path, seed, frames)
        for way, client in CLIENTS.items():
            section = f"memory, one {size(length)} Enhanced CT by {way}"
            (folder / way).mkdir()
            try:
                yield from _pass(section, folder / way, path, length, client)
            except (Skipped, Failed) as none:
                word = "skipped" if isinstance(none, Skipped) else "failed"
                yield Row(section, "peak", note=f"{word}: {none}")


def _pass(section: str, folder: Path, path: Path, length: int, client: Client) -> Iterator[Row]:
    with destination(folder) as target, veil(folder, target.port) as site:
        time.sleep(2.0)  # let the start's garbage go, so that the baseline is that of an idle Veil
        with Sampler(site.pid) as memory:
            began = time.time()
            client(folder, site, path)
            acknowledged = time.time() - began
            arrived = target.last_write(1, _LIMIT) - began
    for name, usage in (("idle", memory.baseline), ("peak", memory.peak)):
        note = f"memfd {size(usage.shared)}, processes {size(usage.private)}; plain RSS sum {size(usage.resident)}"
        ratios = {"the instance": usage.total / length} if name == "peak" else {}
        yield Row(section, name, "MiB", usage.total / (1 << 20), ratios=ratios, note=note)
    yield Row(section, "acknowledged", "s", acknowledged, note=f"{length / acknowledged / 2**20:.0f} MiB/s")
    yield Row(section, "arrived", "s", arrived, note=f"{memory.samples} samples")


def c_store(folder: Path, site: Site, path: Path) -> None:
    """One storescu."""
    send(folder, site.dimse, CALLED, [path], _LIMIT)


def stow(folder: Path, site: Site, path: Path) -> None:
    """PS3.18 10.5, one part, streamed from the file. `Failed` unless the answer is 200."""
    url = urlsplit(site.stow)
    connection = http.client.HTTPConnection(url.netloc, timeout=_LIMIT)
    try:
        connection.putrequest("POST", url.path)
        connection.putheader("Content-Type", f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}')
        connection.putheader("Accept", "application/dicom+json")
        connection.putheader("Content-Length", str(len(_HEAD) + path.stat().st_size + len(_TAIL)))
        connection.endheaders()
        connection.send(_HEAD)
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                connection.send(piece)
        connection.send(_TAIL)
        status = connection.getresponse().status
    except OSError as error:
        raise Failed(f"STOW-RS: {type(error).__name__}") from None
    finally:
        connection.close()
    if status != 200:
        raise Failed(f"STOW-RS: status {status}")


CLIENTS: dict[str, Client] = {"C-STORE": c_store, "STOW-RS": stow}
