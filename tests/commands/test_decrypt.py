"""``veil decrypt``: from veil.yaml with a certificate to the officer who reads the originals, and nobody else does."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset

from proxy.config import load_config
from proxy.deid.engine import deidentify
from proxy.deid.types import Claimed, materialise
from proxy.site import load_policies
from tests.deid.officers import certificate, ec_key, officer, pem, rsa_key


def planted() -> FileDataset:
    ds = dcmread(get_testdata_file("CT_small.dcm"))
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID, ds.StudyDescription = "Zqxplant^Jürgen", "ZQX4711", "Thorax\tof Zqxplant"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, "1.2.3.44"
    ds.ReferencedImageSequence = [item]
    return ds


@pytest.fixture
def officers(tmp_path: Path) -> dict[str, Path]:
    """Files: a key and a certificate of two officers, and of somebody else."""
    found = {}
    for number, name in enumerate(("first", "second", "stranger")):
        found[name], found[name + ".cert"] = tmp_path / f"{name}.key", tmp_path / f"{name}.pem"
        found[name].write_bytes(officer(number).key_pem)
        found[name + ".cert"].write_text(officer(number).certificate)
    return found


@pytest.fixture
def file(tmp_path: Path, site: Path, officers: dict[str, Path]) -> Path:
    """A de-identified file of a site that encrypts to two officers."""
    names = ", ".join(str(officers[name]) for name in ("first.cert", "second.cert"))
    configure(site, f"{{certificates: [{names}]}}")
    (policy,) = load_policies(load_config(site)).values()
    data = io.BytesIO()
    planted().save_as(data)
    result = deidentify(memoryview(data.getvalue()), Claimed(), policy)
    path = tmp_path / "out.dcm"
    path.write_bytes(materialise(result.chunks, data.getvalue()))
    return path


def configure(site: Path, value: str) -> None:
    text = site.read_text()
    at = text.index("    destinations: [archive]")
    site.write_text(f"{text[:at]}    encrypt_originals: {value}\n{text[at:]}")


@pytest.mark.parametrize("name", ["first", "second"])
@pytest.mark.parametrize("named", [False, True])
def test_each_officer_reads_the_originals(run_veil: Any, file: Path, officers: Any, name: str, named: bool) -> None:
    said = run_veil("decrypt", file, "--key", officers[name], *(("--cert", officers[name + ".cert"]) if named else ()))
    assert said.status == 0
    for expected in ("Zqxplant^Jürgen", "ZQX4711", "(0008,1140)[0].(0008,1155)", "1.2.3.44", "20040119"):
        assert expected in said.text
    assert "Thorax·of Zqxplant" in said.text  # no control characters on the terminal


def test_json(run_veil: Any, file: Path, officers: Any) -> None:
    found = json.loads(run_veil("decrypt", file, "--key", officers["first"], "--json").text)
    assert found["00100010"]["Value"] == [{"Alphabetic": "Zqxplant^Jürgen"}]
    assert found["00100020"]["Value"] == ["ZQX4711"]


def test_originals_go_back_into_their_places(run_veil: Any, tmp_path: Path, file: Path, officers: Any) -> None:
    target = tmp_path / "back.dcm"
    said = run_veil("decrypt", file, "--key", officers["first"], "--out", target)
    assert (said.status, "Zqxplant" in said.text) == (0, False)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    back, before = dcmread(target), planted()
    for element in before:
        if not element.tag.is_private and element.tag != 0xFFFCFFFC:
            assert back[element.tag] == element, element.keyword
    assert back.file_meta.MediaStorageSOPInstanceUID == before.SOPInstanceUID
    assert back.PatientIdentityRemoved == "NO"
    for keyword in ("EncryptedAttributesSequence", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
                    "LongitudinalTemporalInformationModified"):  # fmt: skip
        assert keyword not in back
    again = run_veil("decrypt", file, "--key", officers["first"], "--out", target)
    assert again.status == 1, "never over another file"


def test_a_key_under_a_passphrase(run_veil: Any, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = tmp_path / "locked.key"
    locked.write_bytes(pem(officer().key, b"secret words"))
    asked: list[dict[str, Any]] = []

    def prompt(text: str, **how: Any) -> str:
        asked.append(how)
        return ("wrong", "secret words")[len(asked) - 1]

    monkeypatch.setattr("proxy.commands.decrypt.click.prompt", prompt)
    assert "another passphrase" in run_veil("decrypt", file, "--key", locked).text
    assert "ZQX4711" in run_veil("decrypt", file, "--key", locked).text
    assert all(how["hide_input"] for how in asked)


def test_nobody_else_reads_them(run_veil: Any, tmp_path: Path, file: Path, officers: Any) -> None:
    other = tmp_path / "ec.key"
    other.write_bytes(pem(ec_key()))
    no_key = tmp_path / "no.key"
    no_key.write_text("nonsense")
    plain = tmp_path / "plain.dcm"
    planted().save_as(plain)
    for arguments, why in (
        ((file, "--key", officers["stranger"]), "encrypted to this key"),
        ((file, "--key", officers["first"], "--cert", officers["second.cert"]), "encrypted to this key"),
        ((file, "--key", officers["first"], "--cert", officers["first"]), "not a certificate"),
        ((file, "--key", other), "not an RSA key"),
        ((file, "--key", no_key), "not a private key"),
        ((plain, "--key", officers["first"]), "carries no encrypted originals"),
        ((no_key, "--key", officers["first"]), "cannot be read"),
    ):
        said = run_veil("decrypt", *arguments)
        assert said.status == 1
        assert why in said.text
        assert "ZQX4711" not in said.text


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("{certificates: []}", "at least 1 item"),
        ("{certificates: [gone.pem]}", "gone.pem: No such file"),
        ("{certificates: [wrong.pem]}", "encrypt_originals: a certificate's key is not RSA"),
        ("{certificates: [binary.pem]}", "no certificate in PEM"),
        ("{certificate: officer.pem}", "encrypt_originals"),
        ("officer.pem", "encrypt_originals"),
    ],
)
def test_what_cannot_be_encrypted_to_stops_the_start(run_veil: Any, site: Path, value: str, why: str) -> None:
    (site.parent / "wrong.pem").write_text(certificate(ec_key()))
    (site.parent / "binary.pem").write_bytes(b"\xff" * 100)
    configure(site, value)
    said = run_veil("check", "-c", site)
    assert said.status == 2
    assert why in said.text


def test_paths_are_relative_to_veil_yaml(run_veil: Any, site: Path) -> None:
    (site.parent / "keys" / "officer.pem").write_text(certificate(rsa_key(0)))
    configure(site, "{certificates: [keys/officer.pem]}")
    assert run_veil("check", "-c", site).status == 0
    text = run_veil("conformance", "-c", site, "--project", "research").text
    assert "RSA of 2048 bits" in text.split("## Encrypted attributes")[1].split("\n## ")[0]
