"""What is said of a study that is known in part, and of one that is known whole."""

from __future__ import annotations

from typing import Any

from proxy.service import view_known
from proxy.service.view import Scope
from proxy.service.view_known import Known

SCOPE, OTHER = Scope("research", "d", 1), Scope("research", "d", 2)
UIDS = ("2.25.1", "2.25.2", "")


def upstream(count: int) -> dict[str, Any]:
    return {tag: {"vr": "IS", "Value": [count]} for tag in ("00201208", "00201209")}


def test_nothing_is_said_of_what_is_known_in_part() -> None:
    known = Known()
    assert known.visible(SCOPE, "study", UIDS, upstream(2)) == {}
    known.note(SCOPE, ("2.25.1", "2.25.2", "2.25.3"), "CT")
    assert known.visible(SCOPE, "study", UIDS, upstream(2)) == {}
    assert known.visible(SCOPE, "series", UIDS, {}) == {}


def test_until_then_a_pacs_is_believed_about_modalities_that_dicom_defines() -> None:
    said = {"00080061": {"vr": "CS", "Value": ["SR", "CT", "MUELLER", 7, None]}}
    match = upstream(2) | said
    assert Known().visible(SCOPE, "study", UIDS, match) == {"00080061": {"vr": "CS", "Value": ["CT", "SR"]}}
    assert Known().visible(SCOPE, "series", UIDS, match) == {}
    assert Known().visible(SCOPE, "study", UIDS, {"00080061": {"vr": "CS", "Value": ["MUELLER"]}}) == {}


def test_what_is_known_whole_counts_what_is_released() -> None:
    known = Known()
    known.note(SCOPE, ("2.25.1", "2.25.2", "2.25.3"), "CT")
    known.note(SCOPE, ("2.25.1", "2.25.4", "2.25.5"), None)
    said = known.visible(SCOPE, "study", UIDS, upstream(2)) or {}
    assert {tag: element["Value"] for tag, element in said.items()} == {
        "00080061": ["CT"],
        "00201206": [1],
        "00201208": [1],
    }
    assert known.visible(SCOPE, "series", ("2.25.1", "2.25.4", ""), upstream(1)) is None
    assert known.is_held(SCOPE, "2.25.1", "2.25.5")
    assert known.series_of(SCOPE, "2.25.1", "2.25.3") == "2.25.2"
    assert known.series_of(SCOPE, "2.25.1", "2.25.5") == ""


def test_scopes_know_nothing_of_each_other() -> None:
    known = Known()
    known.note(SCOPE, ("2.25.1", "2.25.2", "2.25.3"), None)
    assert not known.is_held(OTHER, "2.25.1", "2.25.3")
    assert known.visible(OTHER, "study", UIDS, upstream(1)) == {}


def test_it_forgets_the_study_of_long_ago(monkeypatch: Any) -> None:
    monkeypatch.setattr(view_known, "_MOST_STUDIES", 2)
    known = Known()
    for number in range(3):
        known.note(SCOPE, (f"2.25.{number}", "2.25.8", "2.25.9"), None)
    assert [known.is_held(SCOPE, f"2.25.{number}", "2.25.9") for number in range(3)] == [False, True, True]
