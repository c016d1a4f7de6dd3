"""``veil rules coverage``: each device once, what answers for it, and no values but maker and model."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydicom import dcmread
from pydicom.data import get_testdata_file

US = "examples_rgb_color.dcm"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for number, (name, model) in enumerate(
        [("CT_small.dcm", "Scanner"), ("CT_small.dcm", "Scanner"), (US, "Cart"), (US, "=Trolley"), (US, "Wagon")]
    ):
        ds = dcmread(get_testdata_file(name))
        ds.Manufacturer, ds.ManufacturerModelName = "Acme", model
        ds.StationName, ds.SoftwareVersions, ds.PatientName = "ZQXSTATION", "Zqxversion", "Zqx^Jane"
        if model == "Wagon":
            ds.Rows = 120
        ds.save_as(folder / f"{number}.dcm")
    (folder / "5.dcm").write_bytes(b"")
    (folder / "6.dcm").write_bytes(b"no instance")
    return folder


@pytest.fixture
def ruled(site: Path) -> Path:
    """A site whose project reads text, with a rule for the cart and one for another size of the wagon."""
    ours = {"name": "cart", "match": {"ManufacturerModelName": "Cart"}, "sizes": {"320x240": {"blank": "all"}}}
    wagon = {"name": "wagon", "match": {"ManufacturerModelName": "Wagon"}, "sizes": {"320x240": {"blank": "all"}}}
    (site.parent / "pixels").mkdir()
    (site.parent / "pixels" / "ours.yaml").write_text(
        yaml.safe_dump({"version": 1, "name": "ours", "rules": [ours, wagon]})
    )
    (site.parent / "profiles").mkdir()
    pixels = {"text": {"high": "full", "medium": "full", "low": "screen"}, "faces": "forward", "devices": ["ours"]}
    (site.parent / "profiles" / "own.yaml").write_text(
        yaml.safe_dump({"version": 1, "name": "own", "extends": "research", "pixels": pixels})
    )
    site.write_text(site.read_text().replace("profile: research", "profile: own"))
    return site


def test_every_device_and_what_answers_for_it(run_veil: Any, ruled: Path, files: Path) -> None:
    said = run_veil("rules", "coverage", files, "-c", ruled, "--project", "research", "--json")
    assert said.status == 3
    rows = {(row["model"], row["answered by"]): row for row in json.loads(said.text)}
    assert rows["Scanner", "screen"]["instances"] == 2
    assert rows["Cart", "rule"]["why"] == "device rule ours/cart"
    assert rows["'=Trolley", "full"]["size"] == "320x240"
    assert rows["Wagon", "held"]["why"].startswith("pixel-rule-mismatch: rule ours/wagon")
    assert {row["why"].split(":")[0] for row in rows.values() if row["model"] == ""} == {"not-dicom"}
    assert "zqx" not in said.text.lower()


def test_values_on_demand(run_veil: Any, ruled: Path, files: Path) -> None:
    said = run_veil("rules", "coverage", files, "-c", ruled, "--project", "research", "--csv", "--show-values")
    rows = list(csv.DictReader(io.StringIO(said.text)))
    assert {row["station"] for row in rows} == {"ZQXSTATION", ""}
    assert "Zqx^Jane" not in said.text


def test_the_table(run_veil: Any, ruled: Path, files: Path) -> None:
    said = run_veil("rules", "coverage", files, "-c", ruled, "--project", "research")
    assert "7 instances, 5 kinds, 3 held" in said.text
    assert "zqx" not in said.text.lower()


def test_nothing_held(run_veil: Any, ruled: Path, files: Path) -> None:
    said = run_veil("rules", "coverage", files / "0.dcm", "-c", ruled, "--project", "research", "--json")
    assert said.status == 0
