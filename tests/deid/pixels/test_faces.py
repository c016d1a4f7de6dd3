"""Which instances may show a face, by header: thin slices of heads, photographs; in many languages. Nothing else."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

from proxy.deid.decode import read_instance
from proxy.deid.pixels.attributes import Attributes
from proxy.deid.pixels.face_words import CODES, says_head, says_other
from proxy.deid.pixels.faces import face

BASE = "1.2.840.10008.5.1.4.1.1."
CT, MR, PT, US, PHOTO, MESH = (BASE + end for end in ("2", "4", "128", "6.1", "77.1.4", "68.1"))
ENHANCED_CT, CRANIOFACIAL, SEGMENTATION = BASE + "2.1", BASE + "13.1.2", BASE + "66.4"


def shows(make: ModuleType, sop_class: str = CT, **said: Any) -> str:
    policy = make.policy()
    instance = read_instance(memoryview(make.encode(make.dataset(sop_class, **said))), policy)
    return face(Attributes.of(instance.root, True), policy.sop_classes[sop_class])


def coded(value: str, meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = value, meaning
    return [item]


@pytest.mark.parametrize("sop_class", [CT, MR, ENHANCED_CT])
@pytest.mark.parametrize(
    "said",
    [
        {"BodyPartExamined": "HEAD"},
        {"BodyPartExamined": "WHOLE BODY"},
        {"StudyDescription": "CT, HEAD/BRAIN WO CONTRAST"},
        {"ProtocolName": "t1_mprage_sag_p2_iso"},
        {"SeriesDescription": "Schädel nativ 1.0"},
        {"AnatomicRegionSequence": coded("69536005", "structure")},
        {"AnatomicRegionSequence": coded("X", "Head structure")},
        {"BodyPartExamined": "CHEST", "StudyDescription": "CT head and chest"},
        {"RecognizableVisualFeatures": "YES"},
        {"RecognizableVisualFeatures": "PERHAPS"},
        {"PixelSpacing": [0.5, 0.5], "Rows": 512, "Columns": 512},
        {"ReconstructionDiameter": "250"},
    ],
    ids=str,
)
def test_thin_slices_of_a_head(make: ModuleType, sop_class: str, said: dict[str, Any]) -> None:
    assert shows(make, sop_class, SliceThickness="1.0", **said)
    assert shows(make, sop_class, **said), "what is not said counts as thin"


@pytest.mark.parametrize(
    "said",
    [
        {"BodyPartExamined": "CHEST"},
        {"StudyDescription": "CT thorax abdomen", "PixelSpacing": [0.5, 0.5], "Rows": 512, "Columns": 512},
        {"StudyDescription": "Facet joints of the lumbar spine"},
        {"PixelSpacing": [0.8, 0.8], "Rows": 512, "Columns": 512},
        {"PixelSpacing": [0.1, 0.1], "Rows": 512, "Columns": 512},
        {},
        {"BodyPartExamined": "HEAD", "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        {"BodyPartExamined": "HEAD", "SliceThickness": "5"},
        {"BodyPartExamined": "HEAD", "SliceThickness": "5", "SpacingBetweenSlices": "-6"},
    ],
    ids=str,
)
def test_other_scans(make: ModuleType, said: dict[str, Any]) -> None:
    assert shows(make, **{"SliceThickness": "1", **said}) == ""


def test_overlapping_thick_slices_are_thin_steps(make: ModuleType) -> None:
    assert shows(make, BodyPartExamined="HEAD", SliceThickness="5", SpacingBetweenSlices="1.5")


@pytest.mark.parametrize(("sop_class", "expected"), [(PT, False), (US, False), (SEGMENTATION, False)])
def test_other_classes_of_a_head(make: ModuleType, sop_class: str, expected: bool) -> None:
    assert bool(shows(make, sop_class, BodyPartExamined="HEAD", SliceThickness="1")) is expected


def test_photographs_surfaces_and_faces(make: ModuleType) -> None:
    assert shows(make, PHOTO)
    assert shows(make, MESH)
    assert shows(make, CRANIOFACIAL)


def test_functional_groups(make: ModuleType) -> None:
    measures, anatomy, shared = Dataset(), Dataset(), Dataset()
    measures.SliceThickness = "1"
    anatomy.AnatomicRegionSequence = coded("T-D1100", "x")
    shared.PixelMeasuresSequence, shared.FrameAnatomySequence = [measures], [anatomy]
    assert shows(make, ENHANCED_CT, SharedFunctionalGroupsSequence=[shared])
    measures.SliceThickness = "5"
    assert shows(make, ENHANCED_CT, SharedFunctionalGroupsSequence=[shared]) == ""
    assert shows(make, ENHANCED_CT, PerFrameFunctionalGroupsSequence=[shared]) == ""
    measures.SliceThickness = "2"
    assert shows(make, ENHANCED_CT, PerFrameFunctionalGroupsSequence=[shared])


def test_recognizable_visual_features_no_counts_with_the_code_of_its_method(make: ModuleType) -> None:
    head = {"BodyPartExamined": "HEAD", "SliceThickness": "1", "RecognizableVisualFeatures": "NO"}
    assert shows(make, **head), "NO alone is often wrong"
    assert shows(make, **head, DeidentificationMethodCodeSequence=coded("113100", "Basic"))
    assert shows(make, **head, DeidentificationMethodCodeSequence=[*coded("113100", "x"), *coded("113102", "y")]) == ""


@pytest.mark.parametrize(
    "text",
    "Kopf nativ|SCHÄDEL|crâne sans injection|Cerveau|TÊTE|Cabeza|CRÁNEO|Cabeça|encéfalo|"
    "testa|hersenen|hjärna|Гол. мозг|頭部単純|头颅平扫|두부|KAFA BT|Maxillofacial|NNH|IAC/orbits|"
    "brain_dwi|3D-FLAIR|whole body PET|WB low dose|ear|eye|κεφαλή|czaszka|SPC_T1_BRAVO|"
    "Mandible".split("|"),
)
def test_words_for_a_head(text: str) -> None:
    assert says_head([text])


@pytest.mark.parametrize(
    "text", "thorax|Facet joint|abdomen|Knie rechts|LWS|surface coil|Hip|overview|Cardio|bauch|prostate".split("|")
)
def test_words_for_something_else(text: str) -> None:
    assert not says_head([text])


def test_words_for_other_parts() -> None:
    assert says_other(["CT Thorax"])
    assert not says_other(["Routine 5/5"])


def test_codes_are_of_heads() -> None:
    """Each code by what the libraries' copy of PS3.16 says that it means."""
    meanings = {code: meaning for named in concepts["SCT"].values() for code, (meaning, _) in named.items()}
    expected = (
        "head skull brain face sinus orbit body mandible maxilla zygom eye auditory intracranial nose jaw pituitary "
        "temporomandibular ear carotid mastoid neck facial"
    ).split()
    for code in CODES:
        meaning = meanings[mapping["SRT"].get(code, code)].lower()
        assert any(word in meaning for word in expected), (code, meaning)
