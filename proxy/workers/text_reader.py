"""`OnnxTextReader`: finds and reads text in pictures with PP-OCRv4. The only place that loads and runs models.

The models lie in the wheel of rapidocr-onnxruntime (Apache-2.0), of which no code is imported; they are known by their
digests, so that another version of the wheel cannot change what is found unnoticed. One thread, no network, no clock:
on one kind of processor the same picture has the same boxes. Nothing of a picture is kept.
"""

from __future__ import annotations

import hashlib
import importlib
import math
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxy.deid.pixels.plan import Box
from proxy.deid.pixels.resample import resampled, tensor
from proxy.deid.pixels.tiles import tiles
from proxy.errors import ConfigError
from proxy.workers.text_pictures import boxes_of, text_of

_WHEEL, _FOLDER = "rapidocr-onnxruntime", "rapidocr_onnxruntime/models"
#: file → SHA-256
_DETECTOR = ("ch_PP-OCRv4_det_infer.onnx", "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9")
_RECOGNISER = ("ch_PP-OCRv4_rec_infer.onnx", "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b")
#: the largest picture that the detector gets at once, and what tiles have in common: the longest letters
_SIDE, _OVERLAP = 736, 96
#: the detector halves a picture five times; smaller ones than this show it nothing
_STEP = 32
#: the recogniser reads lines of this height, of this width at least, and of this many heights at most
_HEIGHT, _LEAST_WIDTH, _LONGEST = 48, 160, 40

Picture = NDArray[np.uint8]


class OnnxTextReader:
    """Implements `proxy.deid.pixels.plan.TextReader`. Models load when they are first needed, once."""

    def __init__(self) -> None:
        self._detector: Any = None
        self._recogniser: Any = None
        self._letters: tuple[str, ...] = ()

    def load(self) -> None:
        """Load both models now, so that the first instance need not wait. `ConfigError` when they are not right."""
        if self._detector is None:
            self._detector = _session(*_DETECTOR)
        if self._recogniser is None:
            self._recogniser = _session(*_RECOGNISER)
            listed = self._recogniser.get_modelmeta().custom_metadata_map["character"].split("\n")
            self._letters = ("", *listed, " ")

    def find(self, image: Picture) -> tuple[Box, ...]:
        """See `TextReader.find`. Large pictures are read in tiles; a text across tiles has a box in each."""
        self.load()
        rows, columns = image.shape[:2]
        return tuple(box for tile in tiles(rows, columns, _SIDE, _OVERLAP) for box in self._in_tile(image, tile))

    def _in_tile(self, image: Picture, tile: Box) -> list[Box]:
        part = image[tile.top : tile.bottom, tile.left : tile.right]
        rows, columns = part.shape[:2]
        high, wide = (math.ceil(side / _STEP) * _STEP for side in (rows, columns))
        answer = self._detector.run(None, {"x": tensor(part, high, wide)})[0]
        found = boxes_of(answer[0, 0], rows, columns)
        return [
            Box(box.left + tile.left, box.top + tile.top, box.right + tile.left, box.bottom + tile.top) for box in found
        ]

    def read(self, image: Picture, box: Box) -> tuple[str, float]:
        """See `TextReader.read`: one line of text, upright, from left to right."""
        self.load()
        cut = box.within(image.shape[1], image.shape[0])
        if cut is None:
            return "", 0.0
        part = image[cut.top : cut.bottom, cut.left : cut.right]
        width = min(math.ceil(_HEIGHT * part.shape[1] / part.shape[0]), _HEIGHT * _LONGEST)
        line = resampled(part, _HEIGHT, width)
        answer = self._recogniser.run(None, {"x": tensor(line, _HEIGHT, max(width, _LEAST_WIDTH), 0.0)})[0]
        return text_of(answer[0], self._letters)


def make_reader() -> OnnxTextReader:
    """The reader that ships; nothing is loaded yet."""
    return OnnxTextReader()


def _session(name: str, digest: str) -> Any:
    """A model of the wheel, ready to run on this thread alone."""
    runtime: Any = importlib.import_module("onnxruntime")  # 30 MB that only a process that reads text should have
    try:
        path = Path(str(distribution(_WHEEL).locate_file(f"{_FOLDER}/{name}")))
        data = path.read_bytes()
    except (PackageNotFoundError, OSError):
        raise ConfigError(
            _WHEEL, f"its model {name} is not installed", "install dicom-veil with its dependencies"
        ) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise ConfigError(_WHEEL, f"its model {name} is another one than Veil was measured with", "install 1.4.4")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # it would keep the largest picture's memory for ever
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # a message may describe its input
    return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
