"""What it costs to blank a known device's banner: engine and gate with and without its rule, by transfer syntax.

Synthetic pictures: a CT slice of slopes and noise, an ultrasound loop of 100 frames. Beside time, what Python and numpy
allocate at most on the way of the loop; the instance itself is not counted.
"""

from __future__ import annotations

import hashlib
import statistics
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from bench.engine import note, repeat, size
from bench.instances import ct
from bench.modules import composite, encode
from bench.people import Seeded
from bench.report import Row, timed
from proxy.deid.engine import deidentify
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed
from proxy.deid.verify import Gate
from proxy.errors import InstanceHeld
from proxy.store.rulebook import load_profile, load_tables

SECTION = "a device rule, engine and gate in process"
_ULTRASOUND = "1.2.840.10008.5.1.4.1.1.3.1"
_NATIVE, _PREFIX = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4."
_COLUMNS, _ROWS, _FRAMES = 1024, 768, 100
Frame = NDArray[Any]
_YBR = {"colorspace": "RGB", "outcolorspace": "YCBCR"}
#: name → transfer syntax, encoder of a frame
_CT: dict[str, tuple[str, Callable[[Frame], bytes] | None]] = {
    "native": (_NATIVE, None),
    "HTJ2K": (f"{_PREFIX}201", lambda frame: bytes(imagecodecs.htj2k_encode(frame, reversible=True))),
    "JPEG-LS": (f"{_PREFIX}80", lambda frame: bytes(imagecodecs.jpegls_encode(frame))),
    "JPEG lossless": (f"{_PREFIX}70", lambda frame: _jpeg(frame, lossless=True, predictor=1, bitspersample=12)),
    "JPEG 2000": (f"{_PREFIX}90", lambda frame: bytes(imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k"))),
}
_LOOP: dict[str, tuple[str, Callable[[Frame], bytes] | None]] = {
    "native": (_NATIVE, None),
    "JPEG baseline": (f"{_PREFIX}50", lambda frame: _jpeg(frame, level=90, subsampling="422", **_YBR)),
}


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """Rows for the slice in each transfer syntax, and for the loop."""
    policies = {name: _policy(seed, named) for name, named in (("no rule", []), ("rule", ["bench"]))}
    for name, (syntax, coder) in _CT.items():
        yield from _timed(f"CT 512x512 {name}", _slice(seed, syntax, coder), policies, 2.0 if quick else 20.0)
    frames = 10 if quick else _FRAMES
    for name, (syntax, coder) in _LOOP.items():
        data = _loop(seed, syntax, coder, frames)
        yield from _timed(f"US {frames} x 768x1024 {name}", data, policies, 2.0 if quick else 20.0)
        yield _memory(f"US {frames} x 768x1024 {name}: allocated at most", data, policies["rule"])


def _policy(seed: int, devices: list[str]) -> Policy:
    boxes = {"512x512": [[0, 0, 512, 40], [10, 470, 200, 500]], "1024x768": [[0, 0, 1024, 60]]}
    rule = {
        "name": "banner",
        "match": {"Manufacturer": "Bench Works"},
        "sizes": {matrix: {"blank": listed} for matrix, listed in boxes.items()},
    }
    key = hashlib.sha256(f"veil bench {seed}".encode()).digest()
    profile = {**load_profile("research"), "pixels": {"text": "off", "devices": devices}}
    rules = {"bench": {"version": 1, "name": "bench", "rules": [rule]}}
    spec = PolicySpec("research", profile, key, uninspected_pixels="forward", pixel_rules=rules)
    return compile_policy(load_tables(), spec)


def _timed(name: str, data: bytes, policies: dict[str, Policy], seconds: float) -> Iterator[Row]:
    gate, view = Gate(b"\x00" * 32), memoryview(data)

    def through(policy: Policy) -> Callable[[], object]:
        return lambda: gate.verify(view, deidentify(view, Claimed(), policy), policy)

    try:
        plain, ruled = repeat(seconds, *(through(policy) for policy in policies.values()))
    except InstanceHeld as held:
        yield Row(SECTION, name, note=f"held: {held.reason}")
        return
    yield timed(SECTION, f"{name}: no rule", plain[0], {}, f"{note(plain)}, {size(len(data))}")
    added = 1000 * (statistics.median(ruled[1]) - statistics.median(plain[1]))
    yield timed(SECTION, f"{name}: rule", ruled[0], {}, f"{note(ruled)}: {added:.3g} ms more CPU")


def _memory(name: str, data: bytes, policy: Policy) -> Row:
    gate, view = Gate(b"\x00" * 32), memoryview(data)
    tracemalloc.start()
    try:
        gate.verify(view, deidentify(view, Claimed(), policy), policy)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Row(SECTION, name, "MiB", peak / 2**20, ratios={"the instance": peak / len(data)})


def _slice(seed: int, syntax: str, coder: Callable[[Frame], bytes] | None) -> bytes:
    ds = ct(seed)
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:512, :512]
    body = (rows - 256) ** 2 + (columns - 256) ** 2 < 200**2
    values = np.where(body, 1060, 24) + rng.normal(0, 12, (512, 512))
    ds.Rows = ds.Columns = 512
    del ds.PixelPaddingValue
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    return _encoded(ds, [values.clip(0, 4095).astype(np.uint16)], syntax, coder)


def _loop(seed: int, syntax: str, coder: Callable[[Frame], bytes] | None, frames: int) -> bytes:
    ds = composite(Seeded(seed), _ULTRASOUND, "US")
    ds.SamplesPerPixel, ds.PlanarConfiguration, ds.NumberOfFrames = 3, 0, frames
    ds.PhotometricInterpretation = "RGB" if coder is None else "YBR_FULL_422"
    ds.Rows, ds.Columns = _ROWS, _COLUMNS
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    rng = np.random.default_rng(seed)
    fan = np.hypot(*np.mgrid[:_ROWS, -_COLUMNS // 2 : _COLUMNS // 2]) < _ROWS - 60
    speckle = np.where(fan, rng.rayleigh(40, (_ROWS, _COLUMNS)), 0).clip(0, 255).astype(np.uint8)
    picture = np.repeat(speckle[..., np.newaxis], 3, axis=2)
    return _encoded(ds, [np.roll(picture, 3 * number, axis=1) for number in range(frames)], syntax, coder)


def _encoded(ds: Dataset, frames: list[Frame], syntax: str, coder: Callable[[Frame], bytes] | None) -> bytes:
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    if coder is None:
        ds.PixelData = b"".join(frame.tobytes() for frame in frames)
        ds["PixelData"].VR = "OW"
    else:
        ds.PixelData = encapsulate([coder(frame) for frame in frames])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return encode(ds)


def _jpeg(frame: Frame, **how: Any) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(frame, **how))
