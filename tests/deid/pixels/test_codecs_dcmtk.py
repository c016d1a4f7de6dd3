"""What is written here, DCMTK reads: every value of every lossless frame, by its decoders of JPEG, JPEG-LS and RLE."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import pixel_array

from proxy.deid.pixels import codecs
from tests.deid.pixels.code_streams import PREFIX, Frame, Sample, samples
from tests.deid.pixels.stream_mutants import file_of

_TOOLS = {
    **dict.fromkeys(("4.50", "4.51", "4.57", "4.70"), "dcmdjpeg"),
    **dict.fromkeys(("4.80", "4.81"), "dcmdjpls"),
    "5": "dcmdrle",
}
#: DCMTK upsamples chroma otherwise, and has no RLE of single bits
READ = [s for s in samples() if s.uid[len(PREFIX) :] in _TOOLS and s.name not in ("4.50-422", "4.50-420", "5-bits")]
pytestmark = pytest.mark.peer


def by_dcmtk(tool: Path, file: bytes, folder: Path) -> Frame:
    (folder / "in.dcm").write_bytes(file)
    colours = ["+cn"] if tool.name == "dcmdjpeg" else []  # never convert colour spaces
    command = [str(tool), *colours, str(folder / "in.dcm"), str(folder / "out.dcm")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    frames: Frame = pixel_array(pydicom.dcmread(folder / "out.dcm"), raw=True)
    return frames


@pytest.mark.parametrize("sample", READ, ids=lambda sample: sample.name)
def test_as_dcmtk_reads_it(sample: Sample, program: Callable[[str], Path], tmp_path: Path) -> None:
    tool = program(_TOOLS[sample.uid[len(PREFIX) :]])
    wanted = codecs.decode(sample.stream, sample.layout, sample.uid)
    for frame in by_dcmtk(tool, file_of(sample, [sample.stream] * 2), tmp_path):
        assert np.array_equal(frame, wanted)
