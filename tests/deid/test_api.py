"""`Deidentifier` and `proxy.notebook`: the engine and the gate on a pydicom data set; the documentation is run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from proxy import notebook
from proxy.deid import Deidentifier, api
from proxy.errors import ConfigError, InstanceHeld, Reason
from proxy.store.keys import create_key
from proxy.store.rulebook import load_profile

KEY = bytes(range(32))
DOCUMENT = Path(__file__).parents[2] / "docs" / "notebook.md"


@pytest.fixture(scope="module")
def research() -> Deidentifier:
    return notebook.load("research", key=KEY)


def ct() -> Dataset:
    return dcmread(get_testdata_file("CT_small.dcm"))


def test_the_example_of_the_document_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, str(DOCUMENT), "exec"), {"__name__": "example"})
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[1:] == ["YES", "MODIFIED"]
    assert said[1] == "() 0x80005 keep character set of the text that stays E.1.1"
    assert said[4].startswith("text-undecided")


def test_every_name_of_the_document_exists() -> None:
    rows = re.findall(r"^\| `([\w.]+)", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 6
    for name in rows:
        *path, last = name.removeprefix("proxy.").split(".")
        start: Any = {"notebook": notebook, "deid": sys.modules["proxy.deid"], "Deidentifier": Deidentifier}[path[0]]
        assert hasattr(start, last) or last == "policy", name


def test_the_data_set_is_the_one_of_the_engine(research: Deidentifier, make: ModuleType) -> None:
    ds = make.dataset(StudyDescription="Knee", PatientBirthDate="19700101")
    _, expected = make.run(make.encode(ds), research.policy)
    out, report = research.apply_bytes(api.encoded(ds))
    assert out == expected
    assert report.patient_id == research.apply(ds).PatientID
    assert "PatientBirthDate" in ds, "the input is not changed"
    assert research.apply(ds).get("PatientBirthDate", "") == ""


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "JPEG-lossy.dcm"])
def test_transfer_syntax_and_pixels_stay(name: str) -> None:
    load = notebook.load("research", key=KEY, blank_patient_id="per-study", uninspected_pixels="forward")
    ds = dcmread(get_testdata_file(name))
    out = load.apply(ds)
    assert out.file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
    assert out.PixelData == ds.PixelData
    assert out.SOPInstanceUID == out.file_meta.MediaStorageSOPInstanceUID != ds.SOPInstanceUID


def test_a_data_set_without_file_meta_information(research: Deidentifier, make: ModuleType) -> None:
    assert research.apply(make.dataset()).file_meta.TransferSyntaxUID == make.EXPLICIT_LITTLE


def test_the_data_set_decides_not_its_old_file_meta_information(research: Deidentifier) -> None:
    ds = ct()
    before = research.apply(ds).SOPInstanceUID
    ds.SOPInstanceUID = "1.2.3.4.5"
    assert before != research.apply(ds).SOPInstanceUID == research.policy.pseudonyms().uid("1.2.3.4.5")


def _no_uid(ds: Dataset) -> None:
    del ds.SOPInstanceUID


def _burned(ds: Dataset) -> None:
    ds.BurnedInAnnotation = "YES"


def _unwritable(ds: Dataset) -> None:
    ds["Rows"]._value = "Zqx many rows"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_no_uid, Reason.MISSING_UID),
        (_burned, Reason.TEXT_UNDECIDED),
        (_unwritable, Reason.MALFORMED),
    ],
)
def test_what_is_held_is_raised_without_values(
    spoil: Callable[[Dataset], None], reason: Reason, research: Deidentifier
) -> None:
    ds = ct()
    spoil(ds)
    with pytest.raises(InstanceHeld) as held:
        research.apply(ds)
    assert held.value.reason is reason
    assert "Zqx" not in str(held.value)
    assert held.value.__suppress_context__ or held.value.__context__ is None


def test_the_gate_is_asked(research: Deidentifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that leaves a name in is not believed."""
    honest = api.deidentify

    def leaky(data: memoryview, *rest: Any) -> Any:
        result = honest(data, *rest)
        chunks = tuple(c.replace(b"Some words", b"Zqx^Jane  ") if isinstance(c, bytes) else c for c in result.chunks)
        assert chunks != result.chunks
        return type(result)(chunks, result.original, result.report)

    ds = ct()
    ds.PatientName, ds.PulseSequenceName = "Zqx^Jane", "Some words"
    research.apply(ds)
    monkeypatch.setattr(api, "deidentify", leaky)
    with pytest.raises(InstanceHeld):
        research.apply(ds)


def test_a_key_file_and_a_wrong_key(tmp_path: Path) -> None:
    create_key(tmp_path / "a.key")
    key = bytes.fromhex((tmp_path / "a.key").read_text())
    by_file, by_bytes = (notebook.load("basic", key=k).apply(ct()) for k in (tmp_path / "a.key", key))
    assert by_file == by_bytes
    with pytest.raises(ConfigError, match="32 bytes"):
        notebook.load(key=b"short")
    with pytest.raises(ConfigError, match="no profile"):
        notebook.load("nonsense", key=KEY)


def test_a_profile_of_ones_own() -> None:
    own = {**load_profile("research"), "options": []}
    assert notebook.load(own, key=KEY).apply(ct()).LongitudinalTemporalInformationModified == "REMOVED"
    with pytest.raises(ConfigError, match="not an option"):
        notebook.load({**own, "options": ["nonsense"]}, key=KEY)


def test_importing_the_core_is_cheap() -> None:
    code = (
        "import sys, proxy.deid; print(sorted({'pydicom', 'numpy', 'numba', 'proxy.deid.engine'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = sys.modules["proxy.deid"].Nonsense


def test_explain_names_every_element(research: Deidentifier) -> None:
    steps = {step.tag: step.action for step in research.explain(ct()) if not step.path}
    assert {int(element.tag) for element in ct()} <= steps.keys()
    assert (steps[0x00100020], steps[0x00080020]) == ("pseudonym", "shift")


def test_repr_says_no_key(research: Deidentifier) -> None:
    assert repr(research) == f"Deidentifier('research', policy {research.policy.digest[:16]})"
