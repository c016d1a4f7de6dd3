"""DCMTK, GDCM, pynetdicom's applications and Orthanc with one running Veil, as who asks and as who is asked.

Which test stands for which of them is in docs/dimse.md.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE, build_context

from proxy.dimse.contexts import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES
from proxy.wire.vr import NATIVE
from tests.peers.interop import PRIVATE, Everybody, everybody
from tests.peers.interop_clients import ECHO, FIND, GET, MOVE, SEND, key, orthanc_found
from tests.peers.querying import read
from tests.system.modality import EXPLICIT, IMPLICIT, Modality, Refused, c_store, split
from tests.system.planting import Planted, fresh

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180), pytest.mark.filterwarnings("ignore::UserWarning")]
CT = "1.2.840.10008.5.1.4.1.1.2"
J2K, RLE = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5")


@pytest.fixture(scope="module")
def all_of_them(program: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everybody]:
    with everybody(program, tmp_path_factory.mktemp("interop")) as found:
        yield found


@pytest.fixture(scope="module")
def study(all_of_them: Everybody) -> pydicom.Dataset:
    """What the archive has of one study: one instance."""
    one = fresh()
    assert c_store(all_of_them.site.dimse_port, one.part10).status == 0
    all_of_them.site.drain()
    return pydicom.dcmread(all_of_them.site.archived()[all_of_them.pseudonym(one)])


# -- verification


@pytest.mark.parametrize("who", ECHO)
def test_verification(all_of_them: Everybody, who: str) -> None:
    assert ECHO[who](all_of_them)


# -- storage


@pytest.mark.parametrize("who", SEND)
def test_storage(all_of_them: Everybody, who: str, tmp_path: Path) -> None:
    """One instance that leaves, to the archive and to pynetdicom's storescp; and one that is held."""
    site, good, bad = all_of_them.site, fresh(), fresh("held")
    held = len(site.held())
    for one in (good, bad):
        (tmp_path / f"{one.sop_instance_uid}.dcm").write_bytes(one.part10)
    SEND[who](all_of_them, tmp_path)
    site.drain()
    name = all_of_them.pseudonym(good)
    (delivered,) = (file for file in all_of_them.delivered.iterdir() if file.name.endswith(name))
    for file in (site.archived()[name], delivered):
        assert pydicom.dcmread(file).PixelData == pydicom.dcmread(io.BytesIO(good.part10)).PixelData
    assert all_of_them.pseudonym(bad) not in site.archived()
    assert len(site.held()) == held + (who != "gdcmscu")  # which does not know the SOP class of what is held


# -- query and retrieve


@pytest.mark.parametrize("who", FIND)
def test_find(all_of_them: Everybody, study: pydicom.Dataset, who: str) -> None:
    answer = FIND[who](all_of_them, study)
    assert str(study.StudyInstanceUID) in answer
    assert who == "gdcmscu" or str(study.PatientID) in answer


@pytest.mark.parametrize("who", GET)
def test_get(all_of_them: Everybody, study: pydicom.Dataset, who: str, tmp_path: Path) -> None:
    said = GET[who](all_of_them, study, tmp_path)
    (got,) = read(tmp_path)
    assert got.SOPInstanceUID == study.SOPInstanceUID, said
    assert got.PixelData == study.PixelData


@pytest.mark.parametrize("who", MOVE)
def test_move_to_a_third_party(all_of_them: Everybody, study: pydicom.Dataset, who: str) -> None:
    for old in all_of_them.moved.iterdir():
        old.unlink()
    MOVE[who](all_of_them, study)
    (got,) = read(all_of_them.moved)
    assert got.SOPInstanceUID == study.SOPInstanceUID
    assert got.PixelData == study.PixelData


def test_movescu_moves_to_itself(all_of_them: Everybody, study: pydicom.Dataset, tmp_path: Path) -> None:
    """One process that asks and receives, as workstations are."""
    said = all_of_them.dcmtk("movescu", "-S", "-aem", "WS1", "+P", all_of_them.own, "-od", tmp_path, *key(study))
    (got,) = read(tmp_path)
    assert got.SOPInstanceUID == study.SOPInstanceUID, said


def test_orthanc_moves_to_itself(all_of_them: Everybody, study: pydicom.Dataset) -> None:
    all_of_them.ask_orthanc(f"{orthanc_found(all_of_them, study)}/retrieve", b"ORTHANC")
    got = pydicom.dcmread(io.BytesIO(all_of_them.orthanc.file(str(study.SOPInstanceUID))))
    assert got.PatientID == study.PatientID
    assert got.PixelData == study.PixelData


# -- what is negotiated


def test_128_presentation_contexts(all_of_them: Everybody) -> None:
    """As many as there can be: of one SOP class, and of as many, of which the last is used."""
    assert "Received Echo Response (Success)" in all_of_them.dcmtk("echoscu", "-ppc", 128, "-pts", 38)
    one, ae = fresh(), AE("MODALITY")
    classes = [*sorted(STORAGE_SOP_CLASSES - {CT})[:127], CT]
    contexts = [build_context(uid, [J2K, EXPLICIT, IMPLICIT] if uid != CT else EXPLICIT) for uid in classes]
    association = ae.associate("127.0.0.1", all_of_them.site.dimse_port, contexts=contexts, ae_title="VEIL")
    assert association.is_established
    accepted = {context.context_id: context.transfer_syntax for context in association.accepted_contexts}
    assert accepted == {2 * n + 1: [J2K if n < 127 else EXPLICIT] for n in range(128)}
    assert association.send_c_store(pydicom.dcmread(io.BytesIO(one.part10))).Status == 0
    association.release()
    all_of_them.site.drain()
    assert all_of_them.pseudonym(one) in all_of_them.site.archived()


def encoded(syntax: str) -> tuple[str, bytes]:
    """A new instance in ``syntax``; where that is a code stream it is one that nobody can read."""
    one = fresh()
    dataset = pydicom.dcmread(io.BytesIO(one.part10))
    if syntax in NATIVE:
        dataset.file_meta.TransferSyntaxUID = syntax
    else:
        dataset.file_meta.TransferSyntaxUID = RLE
        dataset.PixelData = pydicom.encaps.encapsulate([b"no code stream", b"any"])
        dataset["PixelData"].is_undefined_length = True
    pydicom.dcmwrite(buffer := io.BytesIO(), dataset)
    return one.sop_instance_uid, split(buffer.getvalue())[3]


def test_every_transfer_syntax_is_taken_and_each_instance_accounted_for(all_of_them: Everybody) -> None:
    site = all_of_them.site
    archived, held = len(site.archived()), len(site.held())
    with Modality(site.dimse_port, [(CT, [syntax]) for syntax in TRANSFER_SYNTAXES]) as modality:
        assert list(modality.accepted.values()) == list(TRANSFER_SYNTAXES)
        for number, syntax in enumerate(TRANSFER_SYNTAXES):
            uid, data = encoded(syntax)
            assert modality.store(CT, uid, data, context=2 * number + 1).status == 0, syntax
        modality.release()
    site.drain()
    assert len(site.archived()) == archived + len(NATIVE)
    assert len(site.held()) == held + len(TRANSFER_SYNTAXES) - len(NATIVE)


def private(uid: str) -> Planted:
    one = fresh()
    dataset = pydicom.dcmread(io.BytesIO(one.part10))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = uid
    pydicom.dcmwrite(buffer := io.BytesIO(), dataset)
    return Planted(buffer.getvalue(), uid, one.sop_instance_uid, one.transfer_syntax_uid, "private")


def test_a_private_sop_class_that_the_site_names_is_held(all_of_them: Everybody) -> None:
    site, one = all_of_them.site, private(PRIVATE)
    before = {entry["id"] for entry in site.held()}
    assert c_store(site.dimse_port, one.part10).status == 0
    (entry,) = (each for each in site.held() if each["id"] not in before)
    assert entry["reason"] == "unknown-sop-class"
    assert all_of_them.pseudonym(one) not in site.archived()
    with pytest.raises(Refused):
        c_store(site.dimse_port, private(f"{PRIVATE}.1").part10)


def test_a_name_that_is_no_uid_is_held_and_the_association_goes_on(all_of_them: Everybody) -> None:
    good = fresh()
    data = split(good.part10)[3]
    with Modality(all_of_them.site.dimse_port, [(CT, [EXPLICIT])]) as modality:
        wrong = data.replace(good.sop_instance_uid.encode(), b"no uid at all".ljust(len(good.sop_instance_uid)))
        assert wrong != data
        assert modality.store(CT, "no uid at all", wrong).comment == "held: bad-uid"
        assert modality.store(CT, good.sop_instance_uid, data).status == 0
        modality.release()
