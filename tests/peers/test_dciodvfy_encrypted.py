"""Encrypted originals leave the object as valid as it came: dciodvfy finds nothing new, DCMTK reads the sequence."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from proxy.deid.engine import deidentify
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed, materialise
from proxy.store.rulebook import load_profile, load_tables
from tests.deid.officers import officer
from tests.peers.objects import encoded, errors

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::UserWarning")]


@lru_cache
def policy() -> Policy:
    certificates = (officer(0).certificate, officer(1).certificate)
    rules = {**load_profile("research"), "pixels": {"faces": "forward", "text": "off"}}  # attributes are judged here
    return compile_policy(load_tables(), PolicySpec("p", rules, bytes(32), encrypt_to=certificates))


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "waveform_ecg.dcm"]
)
def test_no_new_error(program: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    data = encoded(dcmread(get_testdata_file(name), force=True))
    out = materialise(deidentify(memoryview(data), Claimed(), policy()).chunks, data)
    before, after = (Counter(errors(program("dciodvfy"), each)) for each in (data, out))
    assert after - before == Counter()
    (tmp_path / "after.dcm").write_bytes(out)
    dumped = subprocess.run(
        [str(program("dcmdump")), "-q", "+L", str(tmp_path / "after.dcm")], capture_output=True, timeout=60, check=True
    ).stdout.decode("latin_1")
    assert dumped.count("(0400,0520) OB 30\\") == 1
