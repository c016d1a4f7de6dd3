"""What leaves with blanked pixels, decoded by DCMTK: a sample of the matrix of tests/deid/pixels, as GDCM reads it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.deid.pixels.matrix import BIG, DEFLATED, EXPLICIT, IMPLICIT, Case, native_cases
from tests.deid.pixels.matrix_coded import BASELINE, EXTENDED, JPEG, LS, NEAR, RLE, SV1, coded_cases
from tests.deid.pixels.matrix_decoders import gdcm, is_for_gdcm, of_gdcm, plainly
from tests.deid.pixels.matrix_engine import through

pytestmark = pytest.mark.peer
#: transfer syntax → what turns it into explicit VR little endian, without touching colours
_CONVERT = ("dcmconv", "+te")
_JPEG = ("dcmdjpeg", "+te", "+cn")
TOOLS = {
    **dict.fromkeys((IMPLICIT, EXPLICIT, BIG, DEFLATED), _CONVERT),
    **dict.fromkeys((BASELINE, EXTENDED, JPEG, SV1), _JPEG),
    **dict.fromkeys((LS, NEAR), ("dcmdjpls", "+te")),
    RLE: ("dcmdrle", "+te"),
}


def sample() -> list[Case]:
    """One of each transfer syntax and image that both DCMTK and GDCM read."""
    found = {}
    for case in (*native_cases(), *coded_cases()):
        if case.syntax in TOOLS and case.frames == 3 and not case.image.halved:
            found.setdefault((case.syntax, case.image), case)
    return [case for case in list(found.values())[::3] if is_for_gdcm(case.file, case)]


def test_dcmtk_sees_what_gdcm_sees(program: Callable[[str], Path], tmp_path: Path) -> None:
    cases = sample()
    files = {case.name: through(case.file) for case in cases}
    raw = gdcm(files)
    for case in cases:
        tool, *options = TOOLS[case.syntax]
        source, native = tmp_path / "source.dcm", tmp_path / "native.dcm"
        source.write_bytes(files[case.name])
        subprocess.run([program(tool), *options, source, native], check=True, capture_output=True)
        decoded = Case(EXPLICIT, case.image, case.frames, case.region)
        assert np.array_equal(plainly(native.read_bytes(), decoded), of_gdcm(raw[case.name], case)), case.name
    assert len(cases) > 30
