"""``veil rules import``: both kinds of libraries into files that load; nothing is dropped without being named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.deid.pixels.device_words import read_devices

CTP = """Carts
{ Manufacturer.containsIgnoreCase("acme") * Rows.equals("480") * Columns.equals("640") } (0,0,640,40)
"""
DEID = """FORMAT dicom
%filter graylist
LABEL Cart
contains Manufacturer ACME
coordinates 0,0,640,40
%header
REMOVE PatientID
"""
BROKEN = CTP + '{ Modality.sounds("US") } (0,0,1,1)\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "library.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "box"), [(CTP, [0, 0, 640, 41]), (DEID, [0, 0, 640, 40])], ids=["ctp", "deid"])
def test_a_library_becomes_a_file_that_loads(run_veil: Any, tmp_path: Path, text: str, box: list[int]) -> None:
    out = tmp_path / "ours.yaml"
    said = run_veil("rules", "import", written(tmp_path, text), "--out", out)
    assert said.status == 0, said.text
    assert "1 rules" in said.text
    document = yaml.safe_load(out.read_text())
    (rule,) = read_devices("ours", document).rules
    (parts,) = [*rule.sizes.values(), *([rule.any_size] if rule.any_size else [])]
    assert [parts.blank[0].left, parts.blank[0].top, parts.blank[0].right, parts.blank[0].bottom] == box
    assert not rule.covers, "only who has looked can say that a rule covers everything"


def test_what_is_not_about_pixels_is_said(run_veil: Any, tmp_path: Path) -> None:
    out = tmp_path / "ours.yaml"
    said = run_veil("rules", "import", written(tmp_path, DEID), "--out", out)
    assert "line 6: not about pixels, left out: the section %header" in said.text
    assert "# not about pixels, line 6: the section %header" in out.read_text()


def test_a_problem_stops_the_import(run_veil: Any, tmp_path: Path) -> None:
    out = tmp_path / "ours.yaml"
    said = run_veil("rules", "import", written(tmp_path, BROKEN), "--out", out)
    assert said.status == 1
    assert "library.txt: line 3: cannot be translated: there is no method 'sounds'" in said.text
    assert not out.exists()


def test_a_problem_can_be_left_out_and_is_named_in_the_file(run_veil: Any, tmp_path: Path) -> None:
    out = tmp_path / "ours.yaml"
    said = run_veil("rules", "import", written(tmp_path, BROKEN), "--out", out, "--leave-out")
    assert said.status == 0
    assert "1 left out" in said.text
    assert "# left out, line 3: there is no method 'sounds'" in out.read_text()
    assert len(yaml.safe_load(out.read_text())["rules"]) == 1


def test_nothing_to_import_is_an_error_even_then(run_veil: Any, tmp_path: Path) -> None:
    said = run_veil("rules", "import", written(tmp_path, "{ x } (1,2,3,4)"), "--from", "ctp", "--leave-out",
                    "--out", tmp_path / "ours.yaml")  # fmt: skip
    assert said.status == 1


def test_other_sizes(run_veil: Any, tmp_path: Path) -> None:
    out = tmp_path / "ours.yaml"
    run_veil("rules", "import", written(tmp_path, CTP), "--out", out, "--other-sizes", "ignore")
    assert not read_devices("ours", yaml.safe_load(out.read_text())).rules[0].strict


def test_a_file_is_not_overwritten(run_veil: Any, tmp_path: Path) -> None:
    out = tmp_path / "ours.yaml"
    out.write_text("mine")
    said = run_veil("rules", "import", written(tmp_path, CTP), "--out", out)
    assert said.status == 2
    assert out.read_text() == "mine"


def test_what_is_neither(run_veil: Any, tmp_path: Path) -> None:
    said = run_veil("rules", "import", written(tmp_path, "hello\n"), "--out", tmp_path / "ours.yaml")
    assert said.status == 2
    assert "neither" in said.text
