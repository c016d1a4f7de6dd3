"""The read side: metadata of a series through a view, a large instance out of the archive, C-STORE beside viewers.

The PACS behind the view is Orthanc. The first answer of each is told apart from later ones, for both keep what they
have made.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.engine import size
from bench.instances import write_series
from bench.large import stow
from bench.memory import Sampler
from bench.multiframe import FRAME_BYTES, write_enhanced_ct
from bench.pacs import fill, orthanc
from bench.peers import send
from bench.processes import Failed, Skipped, running, wait_until
from bench.report import Row, timed
from bench.site import CALLED, Site, veil

_LIMIT = 600.0
_VIEWERS = 200
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """Rows of the three."""
    with tempfile.TemporaryDirectory(prefix="veil-bench-") as name:
        folder = Path(name)
        for number, part in enumerate((_metadata, _large, _beside)):
            (folder / str(number)).mkdir()
            try:
                yield from part(folder / str(number), quick, seed)
            except (Skipped, Failed) as none:
                word = "skipped" if isinstance(none, Skipped) else "failed"
                yield Row("reading", part.__name__.strip("_"), note=f"{word}: {none}")


def _metadata(folder: Path, quick: bool, seed: int) -> Iterator[Row]:
    count = 50 if quick else 500
    section = f"metadata of a series of {count} CT of 512 KiB, view over Orthanc"
    (folder / "in").mkdir()
    files = write_series(folder / "in", seed, count)
    with orthanc(folder) as pacs:
        fill(pacs, files)
        web = f"{pacs}/dicom-web"
        changes = {
            "upstreams": {"pacs": {"type": "dicomweb", "url": web}},
            "read": {"from": "pacs", "mode": "view"},
        }
        with veil(folder, changes=changes) as site:
            theirs = [_seconds(f"{_series(web)}/metadata", count) for _ in range(4)]
            ours = [_seconds(f"{_series(site.base)}/metadata", count) for _ in range(4)]
    for name, seconds in (("first", 0), ("again", 1)):
        upstream = theirs[0] if not seconds else min(theirs[1:])
        through = ours[0] if not seconds else min(ours[1:])
        yield Row(section, f"Orthanc: {name}", "s", upstream)
        note = f"goal: {1.5 * upstream + 0.5:.2f} s at most"
        yield Row(section, f"Veil: {name}", "s", through, ratios={"Orthanc": through / upstream}, note=note)


def _series(base: str) -> str:
    (study,) = _json(f"{base}/studies")
    where = f"{base}/studies/{study[_STUDY]['Value'][0]}/series"
    (series,) = _json(where)
    return f"{where}/{series[_SERIES]['Value'][0]}"


def _json(url: str) -> Any:
    request = urllib.request.Request(url, headers={"Accept": "application/dicom+json"})
    with urllib.request.urlopen(request, timeout=_LIMIT) as answer:
        return json.load(answer)


def _seconds(url: str, count: int) -> float:
    began = time.perf_counter()
    found = _json(url)
    spent = time.perf_counter() - began
    if len(found) != count:
        raise Failed(f"{len(found)} of {count} instances")
    return spent


def _large(folder: Path, quick: bool, seed: int) -> Iterator[Row]:
    frames = ((128 if quick else 1024) << 20) // FRAME_BYTES
    path = folder / "large.dcm"
    length = write_enhanced_ct(path, seed, frames)
    with veil(folder) as site:
        stow(folder, site, path)
        wait_until(lambda: bool(_instances(site)), _LIMIT, "the instance is in the archive", 0.5)
        (url,) = _instances(site)
        time.sleep(3.0)  # what the way in needed goes
        with Sampler(site.pid) as memory:
            began, read = time.perf_counter(), 0
            with urllib.request.urlopen(url, timeout=_LIMIT) as answer:
                while piece := answer.read(1 << 20):
                    read += len(piece)
            spent = time.perf_counter() - began
    more = memory.peak.total - memory.baseline.total
    note = f"{size(read)} in {spent:.1f} s, {read / spent / 2**20:.0f} MiB/s"
    yield Row(f"one {size(length)} instance by WADO-RS", "memory on top of idle", "MiB", more / 2**20, note=note)


def _instances(site: Site) -> list[str]:
    try:
        found = _json(f"{site.base}/instances")
    except ValueError:  # 204
        return []
    ids = [[one[tag]["Value"][0] for tag in (_STUDY, _SERIES, _INSTANCE)] for one in found]
    return [f"{site.base}/studies/{study}/series/{series}/instances/{sop}" for study, series, sop in ids]


def _beside(folder: Path, quick: bool, seed: int) -> Iterator[Row]:
    """The same C-STOREs without and with `_VIEWERS` connections that ask for frames all the time."""
    count = 20 if quick else 100
    section = f"C-STORE of {count} CT, {_VIEWERS} viewers that read frames"
    (folder / "in").mkdir()
    files = write_series(folder / "in", seed, count)
    with veil(folder) as site:
        send(folder, site.dimse, CALLED, files, _LIMIT)
        wait_until(lambda: len(_instances(site)) == count, _LIMIT, "the archive has them", 0.5)
        urls = [f"{url}/frames/1" for url in _instances(site)]
        alone = send(folder, site.dimse, CALLED, files, _LIMIT).latencies
        asking = folder / "viewers.json"
        asking.write_text(json.dumps(urls), encoding="ascii")
        log = folder / "viewers.log"
        with running([sys.executable, "-m", "bench.viewers", str(asking), str(_VIEWERS)], log) as viewers:
            wait_until(lambda: log.exists() and b"\n" in log.read_bytes(), 60, "viewers are there")
            (folder / "storescu.log").unlink()
            beside = send(folder, site.dimse, CALLED, files, _LIMIT).latencies
            viewers.terminate()
            viewers.wait(30)
        answered = json.loads(log.read_text(encoding="ascii").splitlines()[-1])
    yield timed(section, "response, nobody reads", alone, {}, f"n = {count}")
    ratio = {"nobody reads": sorted(beside)[len(beside) // 2] / sorted(alone)[len(alone) // 2]}
    yield timed(section, "response, all read", beside, ratio, f"n = {count}; {answered['per_second']:.0f} frames/s")
    if answered["failed"]:
        yield Row(section, "frames", note=f"failed: {answered['failed']} of {answered['answered']}")
