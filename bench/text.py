"""How much burned-in text is found, in generated pictures over real backgrounds, and what clean slices lose.

Everything follows from the seed. A string counts as found where at least 95 % of the box of its ink is blanked.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.report import Row, timed
from proxy.deid.pixels import screen
from proxy.deid.pixels.looking import Look, text_areas
from proxy.deid.pixels.views import planes
from proxy.workers.text_reader import make_reader

SECTION = "text in pixels"
ENOUGH = 0.95


def measure(quick: bool, seed: int) -> Iterator[Row]:
    """Rows for strings found (all, by class), for clean frames altered, and for the time of reading and screening."""
    generator, backgrounds = _generator()
    reader, strings = make_reader(), 40 if quick else 1000
    reader.load()
    planted: Counter[tuple[str, str]] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    seconds: list[float] = []
    for image in generator.images(seed, strings):
        began = time.process_time()
        areas = text_areas(_only(image.frame), image.layout, Look("full"), (), reader)
        seconds.append(time.process_time() - began)
        for string in image.strings:
            hit = generator.covered(string.box, areas) >= ENOUGH
            for name in _classes(image.modality, string):
                planted[name] += 1
                found[name] += hit
    yield from _shares(planted, found, seed)
    yield timed(SECTION, "full reading of a frame, CPU", seconds, {}, f"{len(seconds)} frames")
    yield from _clean(backgrounds, reader)


def _classes(modality: str, string: Any) -> Iterator[tuple[str, str]]:
    """What a string counts as: kind of class, class."""
    yield "", "strings found, full reading"
    yield "over", modality
    yield "size", f"{'8 to 11' if string.size < 12 else '12 to 16' if string.size < 17 else '17 to 48'} px"
    yield "font", string.font
    yield "ink", string.ink
    yield "turned", f"{string.angle}°"
    yield "JPEG", "before" if string.quality else "no"


def _shares(planted: Counter[tuple[str, str]], found: Counter[tuple[str, str]], seed: int) -> Iterator[Row]:
    for kind, name in sorted(planted):
        total, hits = planted[kind, name], found[kind, name]
        note = f"{hits} of {total}" + ("" if kind else f", seed {seed}")
        yield Row(SECTION, f"  {kind}: {name}" if kind else name, "%", 100 * hits / total, note=note)


def _only(frame: Any) -> Callable[[int], Any]:
    return lambda _: frame


def _clean(backgrounds: Any, reader: Any) -> Iterator[Row]:
    clean = [each for modality in backgrounds.CLEAN for each in backgrounds.backgrounds(modality)]
    screens: list[float] = []
    for how in ("screen", "full"):
        altered = 0
        for each in clean:
            areas = text_areas(_only(each.frame), each.layout, Look(how), (), reader)
            altered += bool(areas)
        note = f"{altered} of {len(clean)} frames without text"
        yield Row(SECTION, f"clean CT and MR altered, {how}", "%", 100 * altered / len(clean), note=note)
    slices = [plane for each in clean for plane in planes(each.frame, each.layout) if plane.shape == (512, 512)]
    for plane in slices:
        screen.screened(plane)
        for _ in range(5):
            began = time.process_time()
            screen.screened(plane)
            screens.append(time.process_time() - began)
    yield timed(SECTION, "screen of a 512x512 plane, CPU", screens, {}, f"{len(slices)} planes, 5 times each")


def _generator() -> tuple[Any, ...]:
    """The generator of the tests: one for both."""
    root = str(Path(__file__).resolve().parents[1])
    if root not in sys.path:
        sys.path.insert(0, root)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return tuple(importlib.import_module(f"tests.deid.pixels.text_{name}") for name in ("images", "backgrounds"))
